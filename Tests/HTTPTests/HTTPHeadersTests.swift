import HTTP
import Testing

struct HTTPHeadersTests {
    @Test("names compare without case, values and order are kept")
    func lookup() {
        var headers: HTTPHeaders = ["Accept": "a", "X": "1", "x": "2"]
        #expect(headers["ACCEPT"] == "a" && headers["X"] == "1" && headers["none"] == nil)
        #expect(headers.all("x") == ["1", "2"])
        #expect(headers.contains("accept") && !headers.contains("accep"))
        headers.add("Accept", "b")
        #expect(headers.map { "\($0.name)=\($0.value)" } == ["Accept=a", "X=1", "x=2", "Accept=b"])
    }

    @Test("setting leaves one field in the first one's place, setting nil none")
    func setting() {
        var headers: HTTPHeaders = ["A": "1", "B": "2", "a": "3", "C": "4", "a": "5"]
        headers["A"] = "x"
        #expect(headers == ["A": "x", "B": "2", "C": "4"])
        headers["D"] = "y"
        headers["b"] = nil
        #expect(headers == ["A": "x", "C": "4", "D": "y"])
        headers.remove("missing")
        #expect(headers.count == 3 && !headers.isEmpty && HTTPHeaders().isEmpty)
    }

    @Test("equality minds order and values, not the case of names")
    func equality() {
        let headers: HTTPHeaders = ["A": "1", "B": "2"]
        #expect(headers == ["a": "1", "b": "2"])
        #expect(headers != ["B": "2", "A": "1"])
        #expect(headers != ["A": "1", "B": "x"] && headers != ["A": "1"])
    }

    @Test("tokens are found in lists, whole and without case")
    func tokens() {
        let headers: HTTPHeaders = ["Accept-Encoding": "br, GZIP ", "accept-encoding": "\tzstd"]
        #expect(headers.hasToken("gzip", in: "Accept-Encoding") && headers.hasToken("zstd", in: "Accept-Encoding"))
        #expect(!headers.hasToken("zip", in: "Accept-Encoding") && !headers.hasToken("gzip", in: "Accept"))
    }
}

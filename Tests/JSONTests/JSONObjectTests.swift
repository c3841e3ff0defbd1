import JSON
import Testing

struct JSONObjectTests {
    @Test("members keep the order in which they were added, replaced ones their place")
    func order() {
        var object: JSONObject = ["b": 1, "a": 2]
        object["c"] = 3
        object["b"] = 4
        #expect(object.keys == ["b", "a", "c"])
        #expect(object.map { $0.value } == [4, 2, 3])
        object["a"] = nil
        object["none"] = nil
        #expect(object.keys == ["b", "c"] && object.count == 2)
    }

    @Test("objects are equal whatever the order of their members")
    func equality() {
        let left: JSONObject = ["a": 1, "b": [2]]
        #expect(left == ["b": [2], "a": 1])
        #expect(left != ["a": 1])
        #expect(left != ["a": 1, "b": [3]])
        #expect(left != ["a": 1, "c": [2]])
    }

    @Test("a large object finds, replaces and removes like a small one", arguments: [8, 31, 32, 33, 500])
    func large(count: Int) {
        var object = JSONObject((0..<count).map { ("key\($0)", JSONValue.integer(Int64($0))) })
        for number in 0..<count { #expect(object["key\(number)"] == .integer(Int64(number))) }
        object["key3"] = nil
        object["key5"] = "five"
        #expect(object["key3"] == nil && object["key5"] == "five" && object["missing"] == nil)
        #expect(object["key\(count - 1)"] == .integer(Int64(count - 1)))
        #expect(object.count == count - 1)
        #expect(object.keys == (0..<count).filter { $0 != 3 }.map { "key\($0)" })
        while let key = object.keys.first { object[key] = nil }
        #expect(object.isEmpty)
    }

    @Test("a number equals the same number written otherwise, and no other")
    func numbers() {
        #expect(JSONValue.integer(5) == .number(5))
        #expect(JSONValue.number(0.5) != .integer(0))
        #expect(JSONValue.integer(.max) != .number(9_223_372_036_854_775_808))
        #expect(JSONValue.integer(9_007_199_254_740_993) != .number(9_007_199_254_740_992))
        #expect(JSONValue.integer(0) != .bool(false) && JSONValue.integer(0) != .null && JSONValue.string("0") != 0)
    }
}

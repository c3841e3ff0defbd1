import Domain
import HTTP
import Operations
import Testing
import Timetable

@testable import ChronosAPI

@Suite("Privileges")
struct PrivilegeTests {
    struct Request: Sendable, CustomTestStringConvertible {
        let method: HTTPMethod
        let path: String
        var body = ""
        let needs: Privilege
        var testDescription: String { "\(method) \(path)" }
    }

    static let requests = [
        Request(method: .post, path: "iso8601", body: #"{"name":"new"}"#, needs: .createEvents),
        Request(method: .put, path: "iso8601", body: #"{"name":"old"}"#, needs: .editEvents),
        Request(method: .post, path: "dependency", body: #"{"name":"new","parents":["old"]}"#, needs: .createEvents),
        Request(method: .post, path: "dependency", body: #"{"name":"old","parents":["x"]}"#, needs: .editEvents),
        Request(method: .put, path: "job/old", needs: .runEvents),
        Request(method: .delete, path: "job/old", needs: .deleteEvents),
        Request(method: .delete, path: "task/kill/old", needs: .abortEvents),
        Request(method: .put, path: "job/success/old", needs: .runEvents),
        Request(method: .put, path: "task/ct:1:0:old:", body: #"{"statusCode":0}"#, needs: .runEvents),
    ]

    private func server() -> Server {
        let server = Server()
        server.cluster.store(RouteTests.job("old"))
        return server
    }

    @Test("a write needs its privilege and no other", arguments: requests, ChronosAPI.trees)
    func writes(request: Request, tree: String) async {
        for privilege in Privilege.allCases {
            let server = server()
            let response = await server.call(
                request.method, "\(tree)/\(request.path)", body: request.body, as: .holding(privilege))
            if privilege == request.needs || privilege == .admin {
                #expect((200...204).contains(response.status), "\(privilege): \(response.text)")
                #expect(server.cluster.commands.count == 1)
            } else {
                #expect(response.status == 403, "\(privilege)")
                #expect(response.message.contains(request.needs.rawValue))
                #expect(server.cluster.commands.isEmpty)
            }
        }
    }

    @Test("reading needs a key and no privilege", arguments: ["jobs", "jobs/search", "job/old"])
    func reads(path: String) async {
        let response = await server().call(.get, "/v1/scheduler/\(path)", as: .reader)
        #expect(response.status == 200)
    }

    @Test("without a principal everything is 401 with a challenge, the unknown job included")
    func nobody() async {
        for request in Self.requests {
            let response = await server().call(
                request.method, "/scheduler/\(request.path)", body: request.body, as: nil)
            #expect(response.status == 401)
            #expect(response.headers["WWW-Authenticate"]?.hasPrefix("Basic ") == true)
        }
        #expect(await server().call(.get, "/scheduler/job/unknown", as: nil).status == 401)
        #expect(await server().call(.get, "/leader", as: nil).status == 401)
    }

    @Test("what was found to be new is only created and what exists only replaced, in case somebody else was faster")
    func modes() async {
        func mode(_ name: String, _ principal: Principal) async -> PutMode? {
            let server = server()
            _ = await server.call(.post, "/v1/scheduler/iso8601", body: #"{"name":"\#(name)"}"#, as: principal)
            guard case .putJob(_, _, _, let mode, _)? = server.cluster.commands.last else { return nil }
            return mode
        }
        #expect(await mode("new", .holding(.createEvents)) == .createOnly)
        #expect(await mode("old", .holding(.editEvents)) == .replace(version: 1))
        #expect(await mode("new", .holding(.editEvents, .createEvents)) == .createOnly)
        #expect(await mode("old", .admin) == .replace(version: 1))
        #expect(await mode("old", .holding(.createEvents)) == nil)
    }
}

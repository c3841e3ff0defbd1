import Testing

@testable import CommandLineTool

@Suite("Arguments")
struct ArgumentsTests {
    static let port = Option<Int>.integer("port", "PORT", "where to listen", in: 1...65535, default: 8080)
    static let ratio = Option<Double>.number("ratio", "X", "a ratio", in: 0...1, default: 0.5)
    static let memory = Option<Int?>.optionalInteger("memory", "MB", "megabytes", in: 1...1000)
    static let wait = Option<Duration>.seconds("retry-delay", "how long to wait", in: 0...3600, default: 60)
    static let nodes = Option<[String]>.list("node", "URL", "a node", isRequired: true)
    static let key = Option<String?>.optionalText("key", "KEY", "the key", environment: "CARILLON_API_KEY")
    static let json = Option<Bool>.flag("json", "for scripts")
    static let policy = Option<String>.choice("follower", ["redirect", "proxy"], "what to do", default: "redirect")
    static let secret = Option<String>.requiredText("secret-file", "FILE", "the secret")

    static let worker = Command(
        path: ["worker"], summary: "Runs", positionals: [],
        options: [
            port.declaration, ratio.declaration, memory.declaration, wait.declaration, nodes.declaration,
            key.declaration, json.declaration, policy.declaration,
        ], run: { _ in 0 })
    static let add = Command(
        path: ["job", "add"], summary: "Adds a job",
        positionals: [
            .init(name: "FILE", help: "the job"), .init(name: "NOTE", help: "a note", isOptional: true),
        ], run: { _ in 0 })
    static let list = Command(
        path: ["job", "list"], summary: "Lists jobs", options: [json.declaration], run: { _ in 0 })
    static let workers = Command(path: ["worker", "list"], summary: "Lists workers", run: { _ in 0 })
    static let node = Command(path: ["node"], summary: "A node", options: [secret.declaration], run: { _ in 0 })
    static let program = Program(
        name: "carillon", version: "1.2", summary: "A scheduler.", commands: [worker, node, add, list, workers])

    func parse(
        _ words: String..., environment: [String: String] = [:], file: String? = nil
    ) throws -> Arguments {
        let invocation = try Self.program.parse(words, environment: environment) { path in
            guard let file else { throw ConfigurationFile.ReadError(description: "No such file or directory") }
            return file
        }
        guard case .run(_, let arguments) = invocation else {
            Issue.record("help instead of a command")
            throw CancellationError()
        }
        return arguments
    }

    func failure(
        _ words: String..., environment: [String: String] = [:], file: String = ""
    ) -> String? {
        do {
            _ = try Self.program.parse(words, environment: environment) { _ in file }
            return nil
        } catch {
            return error.message
        }
    }

    func help(_ words: String...) -> String? {
        // Wrong usage is no help: the test that expects help fails on nil.
        guard case .show(let text)? = try? Self.program.parse(words, environment: [:], readFile: { _ in "" }) else {
            return nil
        }
        return text
    }

    @Test("values are read in both forms, and defaults stand for what is absent")
    func forms() throws {
        let arguments = try parse(
            "worker", "--port", "9000", "--ratio=0.25", "--node", "http://a", "--node=http://b?c=d", "--json")
        #expect(try arguments.get(Self.port) == 9000)
        #expect(try arguments.get(Self.ratio) == 0.25)
        #expect(try arguments.get(Self.nodes) == ["http://a", "http://b?c=d"])
        #expect(try arguments.get(Self.json))
        #expect(try arguments.get(Self.memory) == nil)
        #expect(try arguments.get(Self.wait) == .seconds(60))
        #expect(try arguments.get(Self.key) == nil)
        #expect(try arguments.get(Self.policy) == "redirect")
    }

    @Test("the command line is stronger than the environment, that than the file, that than the default")
    func precedence() throws {
        let file =
            "port = 3\n# comment\n\nretry-delay = 2.5\nnode = http://f1\nnode = http://f2\nmemory = 7\njson = yes\n"
        let environment = ["CARILLON_PORT": "2", "CARILLON_RETRY_DELAY": "1.5", "CARILLON_MEMORY": ""]
        let arguments = try parse(
            "worker", "--port", "1", "--config", "f.conf", environment: environment, file: file)
        #expect(try arguments.get(Self.port) == 1)
        #expect(try arguments.get(Self.wait) == .milliseconds(1500))
        #expect(try arguments.get(Self.nodes) == ["http://f1", "http://f2"])
        #expect(try arguments.get(Self.memory) == 7)
        #expect(try arguments.get(Self.json))
        #expect(try arguments.get(Self.ratio) == 0.5)
    }

    @Test("a stronger place replaces a whole list")
    func listsAreReplaced() throws {
        let file = "node = http://file\n"
        let environment = ["CARILLON_NODE": "http://e1, http://e2", "CARILLON_CONFIG": "f"]
        #expect(
            try parse("worker", "--node", "x", environment: environment, file: file).get(Self.nodes) == ["x"])
        #expect(
            try parse("worker", environment: environment, file: file).get(Self.nodes) == ["http://e1", "http://e2"])
    }

    @Test("a key of its own in the environment counts before the regular one")
    func otherName() throws {
        let both = ["CARILLON_API_KEY": "a", "CARILLON_KEY": "b", "CARILLON_NODE": "n"]
        #expect(try parse("worker", environment: both).get(Self.key) == "a")
        #expect(try parse("worker", environment: ["CARILLON_KEY": "b", "CARILLON_NODE": "n"]).get(Self.key) == "b")
    }

    @Test("flags can be denied, and two dashes end the options")
    func flagsAndDashes() throws {
        #expect(try !parse("job", "list", "--json=false", environment: ["CARILLON_JSON": "1"]).get(Self.json))
        #expect(try parse("job", "add", "--", "--strange").positionals == ["--strange"])
        #expect(try parse("job", "add", "-").positionals == ["-"])
        #expect(try parse("job", "add", "a", "b").positional(1) == "b")
        #expect(try parse("job", "add", "a").positional(1) == nil)
    }

    @Test(
        "wrong usage says what is right",
        arguments: [
            (["worker", "--prot", "1"], "unknown option '--prot'; did you mean '--port'?"),
            (["worker", "--zzzzzz", "1"], "unknown option '--zzzzzz'"),
            (["worker", "-p", "1"], "unknown option '-p': options begin with two dashes"),
            (["worker", "--port"], "--port needs a value: --port PORT or --port=PORT"),
            (["worker", "--port", "--json"], "--port needs a value: --port PORT or --port=PORT"),
            (["worker", "--node=n", "--port", "0"], "--port: '0' is not a whole number from 1 to 65535"),
            (
                ["worker", "--node=n", "--port", "99999999999999999999"],
                "--port: '99999999999999999999' is not a whole number from 1 to 65535"
            ),
            (["worker", "--node=n", "--ratio", "nan"], "--ratio: 'nan' is not a number from 0 to 1, such as 1 or 2.5"),
            (["worker", "--node=n", "--ratio", "0x1"], "--ratio: '0x1' is not a number from 0 to 1, such as 1 or 2.5"),
            (["worker", "--node=n", "--json=maybe"], "--json: 'maybe' is neither true nor false"),
            (["worker", "--node=n", "--follower", "no"], "--follower: 'no' is none of redirect, proxy"),
            (["worker", "--node="], "--node: must not be empty"),
            (["worker", "--port", "1", "--port", "2"], "--port is given twice"),
            (["worker"], "--node URL is missing (or CARILLON_NODE, or a line in the --config file)"),
            (["node", "--secret-file=n", "x"], "'x' is too much: 'node' takes no words"),
            (["worker", "lst"], "there is no command 'worker lst'; did you mean 'list'?; it can be: list"),
            (["worker", "list", "x"], "'x' is too much: 'worker list' takes no words"),
            (["job", "add"], "FILE is missing: the job"),
            (["job", "add", "a", "b", "c"], "'c' is too much: 'job add' takes FILE NOTE"),
            (["job"], "'job' needs one more word: add, list"),
            (["job", "lst"], "there is no command 'job lst'; did you mean 'list'?; it can be: add, list"),
            (["wroker"], "there is no command 'wroker'; did you mean 'worker'?"),
            (["--port", "worker"], "'--port' stands before the command: write 'carillon COMMAND --port …'"),
            ([], "which command? One of: worker, node, job"),
        ])
    func wrongUsage(_ words: [String], _ message: String) {
        let error = #expect(throws: UsageError.self) {
            try Self.program.parse(words, environment: [:]) { _ in "" }
        }
        #expect(error?.message == message)
    }

    @Test("a wrong value names the place that it comes from")
    func sources() {
        #expect(
            failure("worker", environment: ["CARILLON_PORT": "x", "CARILLON_NODE": "n"])
                == "CARILLON_PORT: 'x' is not a whole number from 1 to 65535")
        #expect(
            failure("worker", "--config", "c", "--node=n", file: "\nport = x\n")
                == "c:2: 'x' is not a whole number from 1 to 65535")
        #expect(
            failure("worker", "--config", "c", file: "prot = 1\n") == "c:1: unknown name 'prot'; did you mean 'port'?")
        #expect(
            failure("worker", "--config", "c", file: "port = 1\nport = 2\n")
                == "c:2: 'port' stands here twice (before at c:1)")
        #expect(
            failure("worker", "--config", "c", file: "port 1\n") == "c:1: 'port 1' is not of the form 'name = value'")
        #expect(
            failure("worker", "--config", "c", file: "config = d\n")?.hasPrefix("c:1: unknown name 'config'") == true)
    }

    @Test("a file may hold options of other commands, quotes and signs of equality")
    func configurationFile() throws {
        let arguments = try parse(
            "worker", "--config", "c", file: "secret-file = s\r\nnode = \"  a = b # c \"\nnode=x=y\n")
        #expect(try arguments.get(Self.nodes) == ["  a = b # c ", "x=y"])
        #expect(
            throws: UsageError("cannot read the configuration file 'c': No such file or directory", command: ["worker"])
        ) {
            try parse("worker", "--config", "c")
        }
    }

    @Test("help is shown whatever else is wrong, for the program, a group and a command")
    func helpTexts() throws {
        #expect(help("--help") == help("help"))
        #expect(help("--version") == "carillon 1.2")
        let program = try #require(help("-h"))
        #expect(program.contains("  job add      Adds a job"))
        let group = try #require(help("job", "--help"))
        #expect(group.contains("usage: carillon job COMMAND [options]") && !group.contains("worker"))
        let worker = try #require(help("worker", "--prot", "--help"))
        #expect(worker == help("help", "worker"))
        #expect(worker.hasPrefix("usage: carillon worker --node URL … [options]\n"))
        #expect(worker.contains("  --port PORT                where to listen (1 to 65535; default 8080)\n"))
        #expect(worker.contains("(or CARILLON_API_KEY in the environment)"))
        #expect(try #require(help("job", "add", "--help")).hasPrefix("usage: carillon job add FILE [NOTE] [options]\n"))
        for text in [program, group, worker] {
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= Help.width })
        }
    }

    @Test("the distance between words counts swaps as one")
    func distances() {
        #expect(Suggestion.distance("prot", "port") == 1)
        #expect(Suggestion.distance("", "abc") == 3)
        #expect(Suggestion.distance("kitten", "sitting") == 3)
        #expect(Suggestion.nearest(to: "data", among: ["data-dir", "port"]) == "data-dir")
        #expect(Suggestion.nearest(to: "q", among: ["port"]) == nil)
    }
}

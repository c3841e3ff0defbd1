import Testing

@testable import Domain

@Suite("Parameters of containers")
struct ContainerOptionsTests {
    private func options(_ pairs: (String, String)...) throws -> ContainerOptions {
        try ContainerOptions(pairs.map { .init(key: $0.0, value: $0.1) })
    }

    private func refusal(_ key: String, _ value: String) -> String? {
        do throws(DomainError) {
            _ = try ContainerOptions([.init(key: key, value: value)])
            return nil
        } catch {
            return error.message
        }
    }

    @Test("each parameter becomes a field of the engine's API, with a value of its type")
    func mapping() throws {
        let options = try options(
            ("env", "A=b=c"), ("memory", "64m"), ("cpus", "0.5"), ("ulimit", "nofile=1024:4096"),
            ("publish", "127.0.0.1:8080:80/udp"), ("publish", "80"), ("label", "k"), ("tmpfs", "/tmp:size=1m"),
            ("init", ""), ("device", "/dev/null"), ("user", "1000:1000"))
        let expected: [(ContainerOptions.Place, String, ContainerOptions.Value)] = [
            (.config, "Env", .element("A=b=c")), (.hostConfig, "Memory", .integer(64 << 20)),
            (.hostConfig, "NanoCpus", .integer(500_000_000)),
            (.hostConfig, "Ulimits", .limit(name: "nofile", soft: 1024, hard: 4096)),
            (.hostConfig, "PortBindings", .port(container: "80/udp", host: "8080", address: "127.0.0.1")),
            (.hostConfig, "PortBindings", .port(container: "80/tcp", host: "", address: "")),
            (.config, "Labels", .member("k", "")), (.hostConfig, "Tmpfs", .member("/tmp", "size=1m")),
            (.hostConfig, "Init", .flag(true)),
            (.hostConfig, "Devices", .device(host: "/dev/null", container: "/dev/null", permissions: "rwm")),
            (.config, "User", .text("1000:1000")),
        ]
        #expect(options.settings.count == expected.count)
        for (setting, (place, field, value)) in zip(options.settings, expected) {
            #expect(setting.place == place && setting.field == field && setting.value == value, "\(field)")
        }
        #expect(options.user == "1000:1000" && options.integer("Memory") == 64 << 20)
    }

    @Test("volumes become volumes: paths, named ones and anonymous ones")
    func volumes() throws {
        let volumes = try options(("volume", "/a:/b:ro"), ("volume", "data:/c"), ("volume", "/d")).volumes
        #expect(volumes.map(\.containerPath) == ["/b", "/c", "/d"])
        #expect(volumes.map(\.hostPath) == ["/a", "", ""])
        #expect(volumes.map(\.mode) == [.readOnly, .readWrite, .readWrite])
        #expect(volumes.map { $0.external?.name } == [nil, "data", nil])
    }

    @Test("what gives power over the machine is told apart from what does not")
    func demands() throws {
        #expect(try options(("cap-drop", "ALL"), ("ipc", "private"), ("privileged", "false")).demands == [])
        let demands = try options(
            ("privileged", "true"), ("pid", "host"), ("ipc", "host"), ("security-opt", "seccomp=unconfined"),
            ("security-opt", "no-new-privileges"), ("cap-add", "NET_ADMIN")
        ).demands
        #expect(
            demands == [
                "privileged=true", "pid=host", "ipc=host", "security-opt=seccomp=unconfined", "cap-add=NET_ADMIN",
            ])
    }

    @Test(
        "values that the field cannot have are refused with what would be right",
        arguments: [
            ("memory", "much", "64m"), ("memory", "99999999999g", "64m"), ("memory", "", "64m"), ("cpus", "nan", "0.5"),
            ("cpus", "-1", "0.5"), ("cpus", "1e300", "0.5"), ("pids-limit", "0", "from 1"),
            ("cpu-shares", "x", "from 2"),
            ("init", "yes", "true or false"), ("env", "A", "NAME=VALUE"), ("env", "=b", "NAME=VALUE"),
            ("ulimit", "nofile", "nofile=1024"), ("ulimit", "nofile=a", "nofile=1024"), ("publish", "1:2:", "8080:80"),
            ("publish", "70000", "8080:80"), ("publish", "80/icmp", "8080:80"), ("volume", "data", "/host/path"),
            ("volume", "../x:/y", "absolute path"), ("volume", "/a:/b:/c", "/host/path"),
            ("device", "null", "/dev/host"),
            ("device", "/dev/null:/dev/null:x", "/dev/host"), ("sysctl", "net.x", "NAME=VALUE"),
            ("hostname", "", "a text"),
            ("add-host", "a", "HOST:ADDRESS"),
        ])
    func wrongValues(key: String, value: String, expected: String) throws {
        let message = try #require(refusal(key, value))
        #expect(message.contains("'\(key)'") && message.contains(expected), "\(message)")
    }

    @Test("what no field exists for is refused with the reason, or with the list of what there is")
    func unknown() throws {
        #expect(try #require(refusal("rm", "true")).contains("removes the container"))
        #expect(try #require(refusal("--dns", "1.1.1.1")).contains("without dashes"))
        #expect(try #require(refusal("a-docker-option", "xxx")).contains("cap-drop"))
    }
}

@Suite("Downloads")
struct ArtifactTests {
    @Test(
        "the file's name is the last part of the address, or what output_file says",
        arguments: [
            ("http://h/a/b.tgz", "", "b.tgz"), ("http://h/b%20c?x=/y#z", "", "b c"), ("/opt/x", "", "x"),
            ("https://url-to-file", "", "url-to-file"), ("http://u:p@h", "", "h"), ("http://h/", "in/side", "in/side"),
        ])
    func names(uri: String, outputFile: String, expected: String) throws {
        var artifact = Artifact(uri: uri)
        artifact.outputFile = outputFile
        #expect(try artifact.path() == expected)
    }

    @Test(
        "paths that lead elsewhere, or nowhere, are refused",
        arguments: [
            ("http://h/a/", ""), ("http://h/..", ""), ("http://h/%2e%2e", ""), ("http://h/a%2Fb", ""),
            ("http://h/a%00b", ""), ("http://h/%0a", ""), ("http://h/a", "/etc/passwd"), ("http://h/a", "a/../../b"),
            ("http://h/a", "./b"), ("http://h/a", "a//b"), ("http://h/a", "a\nb"),
        ])
    func badNames(uri: String, outputFile: String) {
        var artifact = Artifact(uri: uri)
        artifact.outputFile = outputFile
        #expect(throws: DomainError.self) { try artifact.path() }
    }

    @Test("sources are told by their scheme; others are refused")
    func sources() throws {
        #expect(try Artifact(uri: "HTTPS://h/x").source() == .http("HTTPS://h/x"))
        #expect(try Artifact(uri: "ftp://h/x").source() == .ftp("ftp://h/x"))
        #expect(try Artifact(uri: "file:///a%20b").source() == .file("/a b"))
        #expect(try Artifact(uri: "/a/b").source() == .file("/a/b"))
        for uri in ["", "hdfs://h/x", "x", "http:///x", "http://h/a b", "file://h/x", "http://\u{7F}", "javascript:x"] {
            #expect(throws: DomainError.self, "\(uri)") { try Artifact(uri: uri).source() }
        }
    }

    @Test("a command that is an address is told from one that only looks like it")
    func commands() throws {
        let command = try #require(CommandURL(command: "http://h/tool.sh  -v x"))
        #expect(command.artifact.uri == "http://h/tool.sh" && command.artifact.isExecutable)
        #expect(!command.artifact.isExtracted && command.rest == "  -v x")
        #expect(CommandURL(command: "ftp://h/t")?.rest == "")
        for text in ["httpd -k start", "http", "ftp localhost", "file:///bin/x", " http://h/x", "", "echo http://h/x"] {
            #expect(CommandURL(command: text) == nil, "\(text)")
        }
    }
}

/// What `carillon dev` starts: names, addresses and command lines, decided before anything runs.
struct DevPlan: Equatable, Sendable {
    struct Member: Equatable, Sendable {
        var name: String
        var url: String
        /// After the program's name.
        var words: [String]
    }

    var nodes: [Member]
    var workers: [Member]
    /// Nil: HTTP.
    let certificates: DevCertificates?

    /// - Parameters:
    ///   - workerPorts: as many as there are workers.
    ///   - isRoot: root runs it. Then commands run as root, and not as nobody as on other workers: this is the
    ///     cluster of whoever has typed the command and holds its only key, and jobs are expected to do what they would
    ///     do at a prompt.
    init(
        _ settings: DevCommand.Settings, folder: String, databaseURL: String, secretFile: String, workerPorts: [Int],
        isRoot: Bool
    ) {
        let certificates = settings.hasTLS ? DevCertificates(folder: folder) : nil
        let scheme = certificates == nil ? "http" : "https"
        let tls = certificates?.words ?? []
        self.certificates = certificates
        nodes = (0..<settings.nodes).map { index in
            let name = "node-\(index + 1)"
            let address = "127.0.0.1:\(settings.port + index)"
            return Member(
                name: name, url: "\(scheme)://\(address)",
                words: [
                    "node", "--database-url", databaseURL, "--no-migrate", "--listen", address,
                    "--advertise", "\(scheme)://\(address)", "--name", name, "--secret-file", secretFile,
                ] + tls)
        }
        let nodeOptions = nodes.flatMap { ["--node", $0.url] }
        workers = workerPorts.prefix(settings.workers).enumerated().map { index, port in
            let name = "worker-\(index + 1)"
            let address = "127.0.0.1:\(port)"
            return Member(
                name: name, url: "\(scheme)://\(address)",
                words: ["worker"] + nodeOptions + [
                    "--listen", address, "--advertise", "\(scheme)://\(address)", "--name", name,
                    "--secret-file", secretFile, "--work-dir", "\(folder)/\(name)",
                ] + tls + (isRoot ? ["--default-user", "root"] : []))
        }
    }

    /// What is printed when everything runs.
    func banner(leader: String?, folder: String, key: String) -> String {
        var table = Table([], rightAligned: [])
        for member in nodes {
            table.add([member.name, member.url, leader.map { member.url.hasSuffix("//" + $0) } == true ? "leads" : ""])
        }
        for member in workers { table.add([member.name, member.url, ""]) }
        table.add(["data", folder, ""])
        if let certificates { table.add(["authority", certificates.authority, "for --cacert and --tls-ca"]) }
        table.add(["admin key", key, "also in \(folder)/admin.key"])
        let url = nodes.first?.url ?? ""
        let curl = "curl -L" + (certificates.map { " --cacert " + $0.authority } ?? "")
        return """

            Carillon runs.

            \(table.text.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))

            Try:  \(curl) -H 'X-API-Key: \(key)' \(url)/v1/scheduler/jobs
            Stop: ctrl-C

            """
    }
}

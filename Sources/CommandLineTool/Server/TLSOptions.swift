import HTTPTransport
import Node
import Runtime

/// Options about certificates, of servers and clients alike.
enum TLSOptions {
    private static let certificate = Option<String>.text(
        "tls-certificate", "FILE",
        "PEM certificate with those between it and its authority: serves HTTPS, and is shown to other members",
        default: "")
    private static let key = Option<String>.text(
        "tls-key", "FILE", "PEM key of the certificate, without a passphrase", default: "")
    private static let authority = Option<String>.text(
        "tls-ca", "FILE",
        "PEM certificates of the authorities that https URLs of the cluster are verified by "
            + "(default: the system's)", default: "")
    private static let clientAuthority = Option<String>.text(
        "tls-client-ca", "FILE",
        "PEM certificates of authorities: messages between nodes and workers must come with a certificate of theirs",
        default: "")
    private static let requireClient = Option<Bool>.flag(
        "require-client-certificate", "refuse every client without a certificate of --tls-client-ca")

    static let declarations = [
        certificate.declaration, key.declaration, authority.declaration, clientAuthority.declaration,
        requireClient.declaration,
    ]

    /// Of a node or a worker.
    /// - Parameter advertised: the URL at which others reach it.
    static func cluster(_ arguments: Arguments, advertised: String) throws -> ClusterTLS? {
        var files = try common(arguments)
        files.clientAuthority = try arguments.get(clientAuthority)
        files.requiresClientCertificate = try arguments.get(requireClient)
        guard files.clientAuthority.isEmpty || !files.certificate.isEmpty else {
            throw UsageError("--tls-client-ca: clients show certificates in HTTPS only: give --tls-certificate too")
        }
        guard !files.requiresClientCertificate || !files.clientAuthority.isEmpty else {
            throw UsageError("--require-client-certificate: give --tls-client-ca, which says whose certificates")
        }
        guard files.certificate.isEmpty || advertised.hasPrefix("https://") else {
            throw UsageError(
                "--advertise: '\(advertised)' leads nobody to a server that speaks HTTPS: write https://HOST:PORT")
        }
        guard files != ClusterTLS.Files() else { return nil }
        return try read(files)
    }

    /// What SIGHUP does.
    static func reload(_ tls: ClusterTLS?) -> @Sendable () async -> Void {
        {
            let log = Log("tls")
            guard let tls else { return log.notice("SIGHUP: there is nothing to read again without certificates") }
            await tls.reload(log: log)
        }
    }

    // MARK: Clients

    private static let shownCertificate = Option<String>.text(
        "tls-certificate", "FILE", "PEM certificate to show to a cluster that demands one", default: "")

    static let clientDeclarations = [authority.declaration, shownCertificate.declaration, key.declaration]

    /// Of a command that speaks to a cluster.
    static func client(_ arguments: Arguments) throws -> HTTPClientTLS {
        let files = try common(arguments)
        return files == ClusterTLS.Files() ? HTTPClientTLS() : try read(files).client
    }

    private static func common(_ arguments: Arguments) throws -> ClusterTLS.Files {
        var files = ClusterTLS.Files()
        files.certificate = try arguments.get(certificate)
        files.key = try arguments.get(key)
        files.authority = try arguments.get(authority)
        guard files.certificate.isEmpty == files.key.isEmpty else {
            let (given, missing) =
                files.key.isEmpty ? ("--tls-certificate", "--tls-key") : ("--tls-key", "--tls-certificate")
            throw UsageError("\(given): give \(missing) too: a certificate is of no use without its key")
        }
        return files
    }

    private static func read(_ files: ClusterTLS.Files) throws -> ClusterTLS {
        do { return try ClusterTLS(files) } catch { throw UsageError("TLS: \(error)") }
    }
}

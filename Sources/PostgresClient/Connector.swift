import Runtime

/// Makes a connection: each address in turn, each with the whole time limit.
actor Connector {
    private nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// - Throws: `PostgresError`: of the last address, or that of a server which was reached and refused; or
    ///   `CancellationError`.
    func connect(_ configuration: PostgresConfiguration) async throws -> Wire {
        let parameters = try configuration.parameters()
        // As libpq's own blocking connect does, which is not used here.
        let inURL = parameters["connect_timeout"].flatMap { Int64($0) }.flatMap { $0 > 0 ? Duration.seconds($0) : nil }
        let limit = inURL ?? configuration.connectTimeout
        let addresses: [ServerAddress]
        do {
            addresses = try await withDeadline(limit, on: loop, "look-up of the database's host") {
                try await ServerAddress.resolve(parameters)
            }
        } catch let error as DeadlineExceeded {
            throw PostgresError(.connection, "\(error) after \(limit)")
        }
        var failure: PostgresError?
        for address in addresses {
            do {
                return try await withDeadline(limit, on: loop, "connection") {
                    try await self.connect(to: address, parameters)
                }
            } catch let error as PostgresError {
                // A server's refusal tells more than an address where nobody listens.
                if failure?.sqlState == nil { failure = error }
            } catch is DeadlineExceeded {
                let error = PostgresError(
                    .connection, "the database at \(address.description) did not answer within \(limit)")
                failure = failure ?? error
            }
        }
        throw failure ?? PostgresError(.connection, "the database URL names no host")
    }

    private func connect(to address: ServerAddress, _ parameters: [String: String]) async throws -> Wire {
        var parameters = parameters
        parameters["host"] = address.host
        parameters["hostaddr"] = address.numeric
        parameters["port"] = address.port
        let wire = try Wire(parameters: parameters)
        guard !wire.hasFailed else { throw refusal(wire, address) }
        var interest = Interest.write
        while true {
            // The watch is gone before the next step: libpq may close this socket and open another.
            _ = try await loop.ready(wire.socket, interest)
            switch wire.connectStep() {
            case .wantsRead: interest = .read
            case .wantsWrite: interest = .write
            case .failed: throw refusal(wire, address)
            case .done:
                guard wire.enterPipeline() else { throw refusal(wire, address) }
                return wire
            }
        }
    }

    private func refusal(_ wire: Wire, _ address: ServerAddress) -> PostgresError {
        let message = wire.errorMessage
        var error = PostgresError(.connection, "no connection to the database: \(message)\(Self.advice(on: message))")
        error.sqlState = Self.sqlState(of: message)
        return error
    }

    private static func advice(on message: String) -> String {
        guard message.contains("certificate verify failed") else { return "" }
        return "; sslrootcert in the database URL names the file with the certificate of the server's authority"
    }

    /// libpq keeps no SQLSTATE of a failed start; the server's messages for these are known and, since no locale is set
    /// yet, come in its own language. Where the text is another, the state is just missing.
    private static func sqlState(of message: String) -> String? {
        guard message.contains("FATAL:") else { return nil }
        if message.contains("authentication failed") { return "28P01" }
        if message.contains("database \""), message.contains("does not exist") { return "3D000" }
        if message.contains("role \""), message.contains("does not exist") { return "28000" }
        if message.contains("no pg_hba.conf entry") { return "28000" }
        if message.contains("the database system is") { return "57P03" }
        if message.contains("too many clients") || message.contains("remaining connection slots") { return "53300" }
        return nil
    }
}

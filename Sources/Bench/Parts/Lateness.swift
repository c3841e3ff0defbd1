import Runtime

extension PartBench {
    /// One job a second: from its due instant to the first instruction of its process.
    func lateness() async throws -> [Figure] {
        let seconds = options.choose(120, quick: 20)
        return try await withCluster { cluster in
            let late = try await latenessOfOneJob(cluster, seconds: seconds)
            return [
                Figure(
                    .lateness, "one job a second: lateness of the start, p50", late.median, "ms", .atMost(4),
                    limit: limits.wakes.median),
                Figure(
                    .lateness, "the same, p99", late.quantile(0.99), "ms", .atMost(15),
                    limit: limits.wakes.quantile(0.99)),
                Figure(.lateness, "the same, the worst", late.maximum, "ms"),
            ]
        }
    }

    /// Milliseconds, of one occurrence each second.
    func latenessOfOneJob(_ cluster: Cluster, seconds: Int) async throws -> Samples {
        let stamps = Stamps(path: cluster.outputDirectory + "/every-second")
        let first = (Stamps.now / 1_000_000_000 + 2) * 1_000_000_000
        // Half a second aside, so that nothing else that happens each full second is in the way.
        let begin = first + 500_000_000
        let job = Cluster.job(
            "every-second", schedule: "R\(seconds + 5)/\(Self.iso(begin))/PT1S",
            program: try Cluster.neighbour("carillon-stamp"), arguments: [stamps.path])
        try await cluster.post([job])
        try await cluster.wait(until: "a job each second has run", atMost: .seconds(seconds + 30)) {
            try stamps.read().count >= seconds + 5
        }
        // The first ones find nothing prepared: statements are parsed, connections made.
        let late = try stamps.read().sorted().enumerated().dropFirst(5).map { index, instant in
            Double(instant - begin - Int64(index) * 1_000_000_000) / 1e6
        }
        return Samples(late)
    }

    /// An instant as ISO 8601 with microseconds.
    static func iso(_ nanoseconds: Int64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        let microseconds = nanoseconds % 1_000_000_000 / 1_000
        let days = seconds / 86_400
        let rest = seconds % 86_400
        // Days since 1970 to a date of the Gregorian calendar, counted in eras of 400 years.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let day = shifted % 146_097
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let date = [
            era * 400 + year + (month >= 10 ? 1 : 0), month >= 10 ? month - 9 : month + 3,
            dayOfYear - (153 * month + 2) / 5 + 1,
        ]
        let texts = (date + [rest / 3_600, rest % 3_600 / 60, rest % 60]).map { $0 < 10 ? "0\($0)" : "\($0)" }
        let fraction = String(String(1_000_000 + microseconds).dropFirst())
        return "\(texts[0])-\(texts[1])-\(texts[2])T\(texts[3]):\(texts[4]):\(texts[5]).\(fraction)Z"
    }
}

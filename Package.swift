// swift-tools-version: 6.2
// Carillon's layers. Dependencies point down only; Tests/TidyTests holds the same table and fails on any other import.
import PackageDescription

let testSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]
// An asynchronous function runs where its caller does: a call is no turn through the queue of an event loop. (Not in
// tests: the protocols of Swift Testing are declared without it.)
let settings = testSettings + [SwiftSetting.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

func layer(_ name: String, _ dependencies: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies.map { .init(stringLiteral: $0) }, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [String], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies.map { .init(stringLiteral: $0) }, exclude: exclude,
        swiftSettings: testSettings)
}

let package = Package(
    name: "carillon",
    products: [
        .executable(name: "carillon", targets: ["carillon"]),
        .executable(name: "carillon-bench", targets: ["carillon-bench"]),
    ],
    targets: [
        // L0: leaves
        layer("Timetable"),
        layer("JSON"),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CLinux"),
        .target(name: "CSpawn"),
        .target(name: "CChronosOpenAPI", exclude: ["chronos.json"]),
        .target(name: "CCronicleOpenAPI", exclude: ["cronicle.json"]),
        .target(name: "CBench"),

        // L1
        layer("Domain", ["Timetable"]),
        layer("HTTP", ["JSON"]),
        layer("Runtime", ["CLinux"]),
        layer("Crypto", ["COpenSSL", "CCrypt"]),
        layer("Compression", ["CZlib"]),

        // L2
        layer("PostgresClient", ["Runtime", "CLibPQ"]),
        layer("DomainCoding", ["Domain", "JSON", "Timetable"]),
        layer("Storage", ["PostgresClient", "Domain", "DomainCoding", "JSON", "Timetable", "Runtime"]),
        layer("WorkerProtocol", ["Domain", "DomainCoding", "HTTP", "JSON", "Crypto", "Timetable"]),
        layer("HTTPTransport", ["HTTP", "JSON", "Runtime", "Compression", "Crypto", "CLinux", "CCurl"]),

        // L3
        layer("Operations", ["Storage", "Domain", "Crypto", "JSON", "Timetable"]),
        layer("Coordination", ["Domain", "Runtime", "Timetable"]),
        layer("Execution", ["Domain", "DomainCoding", "Runtime", "Compression", "CSpawn", "JSON", "Timetable"]),

        // L4
        layer("Outbound", ["Execution", "HTTPTransport", "HTTP", "JSON", "Domain"]),
        layer("ChronosAPI", ["Operations", "HTTP", "JSON", "Domain", "Timetable", "CChronosOpenAPI"]),
        layer("CronicleAPI", ["Operations", "HTTP", "JSON", "Domain", "Timetable", "CCronicleOpenAPI"]),

        // L5
        layer(
            "Node",
            [
                "ChronosAPI", "CronicleAPI", "Operations", "Coordination", "Execution", "Outbound", "Storage",
                "PostgresClient", "WorkerProtocol", "HTTPTransport", "HTTP", "JSON", "Domain", "DomainCoding",
                "Timetable", "Runtime", "Crypto", "Compression",
            ]),
        layer(
            "CommandLineTool",
            [
                "Node", "Execution", "Storage", "PostgresClient", "HTTPTransport", "HTTP", "JSON", "Domain",
                "Timetable",
                "Runtime",
                "Crypto",
            ]),

        // L6
        .executableTarget(name: "carillon", dependencies: ["CommandLineTool"], swiftSettings: settings),

        // Measurements: a client of the above, and no part of it
        layer("Bench", ["PostgresClient", "HTTPTransport", "HTTP", "JSON", "Runtime", "CBench"]),
        .executableTarget(name: "carillon-bench", dependencies: ["Bench"], swiftSettings: settings),
        // Without libraries to load: the time until a process begins is measured, and not until this one is linked.
        .executableTarget(
            name: "carillon-stamp",
            linkerSettings: [.unsafeFlags(["-static-executable", "-use-ld=lld"])]),

        // Tests
        .target(
            name: "TestSupport", dependencies: ["PostgresClient", "Runtime"], path: "Tests/TestSupport",
            swiftSettings: settings),
        tests("TimetableTests", ["Timetable"]),
        tests("JSONTests", ["JSON"]),
        tests("HTTPTests", ["HTTP", "JSON"]),
        tests("RuntimeTests", ["Runtime"]),
        tests("CryptoTests", ["Crypto", "TestSupport"]),
        tests("CompressionTests", ["Compression"]),
        tests("DomainTests", ["Domain", "Timetable"]),
        tests("PostgresClientTests", ["PostgresClient", "Runtime", "TestSupport"]),
        tests("DomainCodingTests", ["DomainCoding", "Domain", "JSON", "Timetable"]),
        tests(
            "StorageTests",
            [
                "Storage", "DomainCoding", "PostgresClient", "Domain", "Timetable", "Runtime", "JSON", "TestSupport",
            ]),
        tests("HTTPTransportTests", ["HTTPTransport", "HTTP", "Runtime", "Compression", "Crypto", "TestSupport"]),
        tests("WorkerProtocolTests", ["WorkerProtocol", "Domain", "HTTP", "JSON", "Timetable"]),
        tests("CoordinationTests", ["Coordination", "Domain", "Runtime", "Timetable", "Storage"]),
        tests("ExecutionTests", ["Execution", "Domain", "Runtime", "Timetable", "Compression", "JSON", "TestSupport"]),
        tests(
            "OutboundTests",
            [
                "Outbound", "Execution", "HTTPTransport", "HTTP", "JSON", "Domain", "Runtime", "Timetable",
                "TestSupport",
            ]),
        tests("ChronosAPITests", ["ChronosAPI", "Operations", "HTTP", "JSON", "Domain", "Timetable"]),
        tests("CronicleAPITests", ["CronicleAPI", "Operations", "HTTP", "JSON", "Domain", "Timetable"]),
        tests("CommandLineToolTests", ["CommandLineTool", "TestSupport"]),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Coordination", "Execution", "Storage", "Domain", "Runtime", "Timetable"],
            path: "Tests/Simulation", swiftSettings: settings),
        tests("TidyTests", []),
        tests(
            "EndToEndTests", ["carillon", "TestSupport", "JSON", "Timetable"],
            exclude: ["Fixtures", "Support/sink.py"]),
    ]
)

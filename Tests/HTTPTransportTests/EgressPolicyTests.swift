import HTTPTransport
import Testing

@Suite("Egress policy")
struct EgressPolicyTests {
    @Test(
        "link-local and metadata addresses are refused always, in whatever clothes",
        arguments: [
            "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200",
            "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254", "224.0.0.1",
            "ff02::1", "no address", "", "1.2.3", "example.org",
        ])
    func never(address: String) {
        #expect(!EgressPolicy().permits(address))
        #expect(!EgressPolicy(reach: .public).permits(address))
    }

    @Test(
        "private addresses and this machine's are for those who have not said public",
        arguments: [
            "127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "0.0.0.0",
            "fd12::1", "::", "::ffff:10.0.0.1", "64:ff9b::a00:1",
        ])
    func local(address: String) {
        #expect(EgressPolicy().permits(address))
        #expect(!EgressPolicy(reach: .public).permits(address))
    }

    @Test("public addresses are open", arguments: ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101"])
    func open(address: String) {
        #expect(EgressPolicy(reach: .public).permits(address))
    }

    @Test("the list of allowed ranges beats everything")
    func allowed() throws {
        let ranges = try ["169.254.169.0/30", "10.0.0.0/8", "fd00::/8"].map { try #require(AddressRange($0)) }
        let policy = EgressPolicy(reach: .public, allowed: ranges)
        #expect(policy.permits("169.254.169.3") && policy.permits("10.9.9.9") && policy.permits("fd00:ec2::254"))
        #expect(!policy.permits("169.254.169.4"))
    }

    @Test(
        "what is no range is none", arguments: ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "host", "/8"])
    func malformed(text: String) {
        #expect(AddressRange(text) == nil)
    }
}

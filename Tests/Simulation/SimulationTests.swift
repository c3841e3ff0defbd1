import Testing

@Suite("Simulation")
struct SimulationTests {
    @Test("a calm cluster runs what is due")
    func calm() {
        let outcome = Scenario(World.Options(seed: 1, isCalm: true)).run()
        print(outcome.summary)
        #expect(outcome.violations.isEmpty, "\(outcome.report)")
    }
}

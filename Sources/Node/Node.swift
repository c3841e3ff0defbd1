// Node: the composition root. It alone knows everything, and puts the parts together.
//
// SchedulerNode is a node of the cluster: election, leader, API, internal protocol. WorkerHost is a worker: agent, its
// HTTP side, its link to the nodes. Pipeline holds what every request passes (replay, follower policy, key), Routes
// what belongs to no dialect (health, management), Internal the wire between nodes and workers, Adapters the few lines
// that make one layer's façade another's port.
//
// It decides nothing about jobs or runs: whoever looks for a rule finds it in Domain.

import Timetable

/// What this build calls itself in registrations and answers.
public enum Carillon {
    public static let version = "0.1.0"
}

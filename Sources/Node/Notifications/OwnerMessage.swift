import Domain
import JSON
import Storage
import Timetable

/// What the owners of a job are told, in the shapes of Chronos (chronos.md §3.16).
struct OwnerMessage {
    let subject: String
    /// Empty for a deletion.
    let body: String
    private let waiting: OutboxStore.Waiting

    init(_ waiting: OutboxStore.Waiting, clusterName: String) {
        self.waiting = waiting
        let notice = waiting.message.notice
        let prefix = clusterName.isEmpty ? "[Chronos]" : "[\(clusterName)] [Chronos]"
        let name = notice.definition.name
        switch notice.kind {
        case .jobDeleted:
            subject = "\(prefix) Your job '\(name)' was deleted!"
            body = ""
        case .jobDisabled:
            subject = "\(prefix) job '\(name)' disabled"
            body = Self.disabled(name, notice.reason)
        case .runStarted, .runEnded, .launchRefused, .chainRefused:
            subject = "\(prefix) job '\(name)' failed!"
            body = Self.exhausted(notice)
        }
    }

    private static func disabled(_ name: String, _ reason: String) -> String {
        if reason.isEmpty {
            return "\nThe job '\(name)' will not run again: all repetitions of its schedule are used up."
                + " If you do not need it any more, delete it; if you do, give it a new schedule."
        }
        return "\nThe job '\(name)' was disabled: \(reason). Correct it and enable it again."
    }

    private static func exhausted(_ notice: Notice) -> String {
        var text = "\n'\(notice.at.iso8601)'. Retries attempted: \(notice.definition.retries)."
        if let run = notice.run {
            text += "\nTask id: \(run.taskID(arguments: notice.definition.arguments.joined(separator: " ")))"
            if !run.worker.isEmpty { text += "\nWorker: \(run.worker)" }
        }
        if !notice.reason.isEmpty { text += "\n\nThe scheduler provided this message:\n\n\(notice.reason)" }
        if let tail = notice.record?.outputTail, !tail.isEmpty { text += "\n\nEnd of its output:\n\n\(tail)" }
        return text + "\n"
    }

    /// For Slack and Mattermost.
    var chat: JSONValue {
        ["text": .string(body.isEmpty ? subject : "\(subject): \(body)")]
    }

    /// All values are texts.
    func http(to owner: String) -> JSONValue {
        let definition = waiting.message.notice.definition
        let counters = waiting.counters
        var object: JSONObject = ["subject": .string(subject)]
        if !body.isEmpty { object["message"] = .string(body) }
        if !owner.isEmpty { object["to"] = .string(owner) }
        object["job"] = .string(definition.name)
        object["command"] = .string(definition.command)
        object["cpus"] = .string("\(definition.resources.cpus)")
        object["softError"] = .string("\(definition.softError)")
        object["errorCount"] = .string("\(counters.errors)")
        object["errorsSinceLastSuccess"] = .string("\(counters.errorsSinceLastSuccess)")
        object["executor"] = .string(definition.plugin)
        object["executorFlags"] = .string("")
        object["lastError"] = .string(counters.lastError?.iso8601 ?? "")
        object["lastSuccess"] = .string(counters.lastSuccess?.iso8601 ?? "")
        object["mem"] = .string("\(definition.resources.memory)")
        object["retries"] = .string("\(definition.retries)")
        object["successCount"] = .string("\(counters.successes)")
        object["uris"] = .string(definition.artifacts.map(\.uri).joined(separator: ","))
        return .object(object)
    }
}

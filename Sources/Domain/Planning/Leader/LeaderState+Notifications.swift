// Who is told: messages are written to the outbox by the transaction of what they tell of.

import Timetable

extension LeaderState {
    mutating func tell(
        _ kind: Notice.Kind, job: JobID, definition: JobDefinition, run: Run? = nil, record: AttemptRecord? = nil,
        reason: String = "", at: Instant
    ) {
        var settings = notifications(of: definition)
        // The task may have named others.
        if let result = record?.details?.result {
            settings.mailOnSuccess = result.mailOnSuccess ?? settings.mailOnSuccess
            settings.mailOnFailure = result.mailOnFailure ?? settings.mailOnFailure
        }
        let recipients = NotificationPlanner.recipients(
            of: kind, run: run, owner: definition.owner, settings: settings,
            policy: policy.notifications)
        guard !recipients.isEmpty else { return }
        let notice = Notice(
            kind: kind, job: job, definition: definition, run: run, record: record, reason: reason, at: at)
        for recipient in recipients {
            changes.outbox.append(
                OutboxMessage(
                    id: identifiers.message(), channel: recipient.channel, destination: recipient.destination,
                    notice: notice))
        }
    }
}

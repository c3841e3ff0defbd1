import Domain
import JSON

/// The values of a plugin's parameters for one task (cronicle.md §2.4): those that the plugin declares, with its
/// defaults where the job gives none, and its own values for those that are hidden; and what was given for the run
/// besides.
struct PluginParameters: Sendable {
    let values: JSONObject

    /// - Throws: `LaunchError` when the stored texts are not what they should be.
    init(_ offer: PluginOffer) throws(LaunchError) {
        let given = try Self.parse(offer.parameters, "the parameters of the job")?.objectValue
        let declared = try Self.parse(offer.plugin.parameters, "the parameters of the plugin")?.arrayValue
        guard let given, let declared else {
            throw LaunchError("the parameters of plugin '\(offer.plugin.title)' are not stored as they should be")
        }
        var values = JSONObject()
        for item in declared {
            guard let parameter = item.objectValue, let id = parameter["id"]?.stringValue else { continue }
            let own = parameter["value"] ?? ""
            values[id] = parameter["type"]?.stringValue == "hidden" ? own : given[id] ?? own
        }
        if offer.hasOwnParameters {
            for (id, value) in given where values[id] == nil { values[id] = value }
        }
        self.values = values
    }

    static func parse(_ text: String, _ what: String) throws(LaunchError) -> JSONValue? {
        do { return try JSONValue(parsing: Array(text.utf8)) } catch {
            throw LaunchError("\(what) cannot be read: \(error)")
        }
    }

    func text(_ id: String) -> String { values[id].map(Self.text) ?? "" }

    func flag(_ id: String) -> Bool {
        guard let value = values[id] else { return false }
        // Check boxes come as numbers, as flags, and by way of a query as texts.
        return value.isTruthy && value.stringValue != "0"
    }

    /// Nil where it is no number.
    func number(_ id: String) -> Double? {
        guard let value = values[id] else { return nil }
        guard let number = value.doubleValue ?? value.stringValue.flatMap({ Double($0) }), number.isFinite else {
            return nil
        }
        return number
    }

    /// As JavaScript writes it.
    static func text(_ value: JSONValue) -> String {
        if let text = value.stringValue { return text }
        if let flag = value.boolValue { return flag ? "1" : "0" }
        if value.isNull { return "" }
        return value.text
    }
}

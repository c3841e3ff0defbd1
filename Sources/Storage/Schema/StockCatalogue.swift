import Domain
import DomainCoding
import JSON
import Timetable

/// What a fresh cluster's catalogue holds: Cronicle's stock content (cronicle.md §3.7, golden transcripts). Part of
/// the first step of the schema, and like it never edited once released.
enum StockCatalogue {
    static func items(created: Instant) -> [CatalogueItem] {
        let authorship = Authorship(username: "admin", created: created, modified: created)
        // Both match whatever workers there are: what Cronicle's setup writes into `maingrp` is the name of its host.
        var main = WorkerGroup(id: "maingrp", title: "Primary Group", pattern: ".+", authorship: authorship)
        main.dialectFields = #"{"master":1}"#
        var all = WorkerGroup(id: "allgrp", title: "All Servers", pattern: ".+", authorship: authorship)
        all.dialectFields = #"{"master":0}"#
        var general = Category(id: "general", title: "General", authorship: authorship)
        general.description = "For events that don't fit anywhere else."
        return [
            .plugin(plugin("urlplug", "HTTP Request", "bin/url-plugin.js", urlParameters, authorship)),
            .plugin(plugin("shellplug", "Shell Script", "bin/shell-plugin.js", shellParameters, authorship)),
            .plugin(plugin("testplug", "Test Plugin", "bin/test-plugin.js", testParameters, authorship)),
            .category(general), .group(all), .group(main),
        ]
    }

    /// Later ones are listed first.
    static var statements: String {
        items(created: Instant(microseconds: 0)).map { item in
            """
            INSERT INTO carillon.catalogue (kind, id, item) VALUES ('\(item.kind.rawValue)', '\(item.id)',
              '\(quoted(CatalogueCoding.text(item)))'::jsonb
              || jsonb_build_object('created_us', (extract(epoch FROM now()) * 1000000)::int8,
                                    'modified_us', (extract(epoch FROM now()) * 1000000)::int8));

            """
        }.joined()
    }

    private static func plugin(
        _ id: String, _ title: String, _ command: String, _ parameters: String, _ authorship: Authorship
    ) -> Plugin {
        var plugin = Plugin(id: id, title: title, command: command, authorship: authorship)
        plugin.parameters = parameters
        return plugin
    }

    private static func quoted(_ text: String) -> String {
        text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
    }

    private static let testParameters = #"""
        [{"id":"duration","type":"text","size":10,"title":"Test Duration (seconds)","value":60},
        {"id":"progress","type":"checkbox","title":"Report Progress","value":1},
        {"id":"burn","type":"checkbox","title":"Burn Memory/CPU","value":0},
        {"id":"action","type":"select","title":"Simulate Action","items":["Success","Failure","Crash"],
        "value":"Success"},
        {"id":"secret","type":"hidden","value":"Will not be shown in Event UI"}]
        """#

    private static let shellParameters = #"""
        [{"id":"script","type":"textarea","rows":10,"title":"Script Source",
        "value":"#!/bin/sh\n\n# Enter your shell script code here"},
        {"id":"annotate","type":"checkbox","title":"Add Date/Time Stamps to Log","value":0},
        {"id":"json","type":"checkbox","title":"Interpret JSON in Output","value":0}]
        """#

    private static let urlParameters = #"""
        [{"type":"select","id":"method","title":"Method","items":["GET","HEAD","POST"],"value":"GET"},
        {"type":"textarea","id":"url","title":"URL","rows":3,"value":"http://"},
        {"type":"textarea","id":"headers","title":"Request Headers","rows":4,"value":"User-Agent: Cronicle/1.0"},
        {"type":"textarea","id":"data","title":"POST Data","rows":4,"value":""},
        {"type":"text","id":"timeout","title":"Timeout (Seconds)","size":5,"value":"30"},
        {"type":"text","id":"idle_timeout","title":"Idle Timeout (Seconds)","value":"30"},
        {"type":"text","id":"connect_timeout","title":"Connect Timeout (Seconds)","value":"10"},
        {"type":"checkbox","id":"follow","title":"Follow Redirects","value":0},
        {"type":"checkbox","id":"ssl_cert_bypass","title":"SSL Cert Bypass","value":0},
        {"type":"text","id":"success_match","title":"Success Match","size":20,"value":""},
        {"type":"text","id":"error_match","title":"Error Match","size":20,"value":""}]
        """#
}

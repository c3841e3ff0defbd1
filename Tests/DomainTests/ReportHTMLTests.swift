import Domain
import Testing

@Suite("HTML that tasks report")
struct ReportHTMLTests {
    @Test(
        "what is harmless stays, and nothing else",
        arguments: [
            ("plain & <b>bold</b> 1 > 0", "plain &amp; <b>bold</b> 1 &gt; 0"),
            ("<pre class=\"a b\">x</pre>", "<pre class=\"a b\">x</pre>"),
            ("<script>alert(1)</script>x<SCRIPT src=y></SCRIPT >z", "xz"),
            ("<style>b{}</style><svg onload=x><b>in</b></svg>out", "out"),
            ("<b onclick='x' id=y>t</b>", "<b>t</b>"), ("<img src=x onerror=y>t", "t"),
            (
                "<a href=\"http://h/?a=1&b=2\" target=_blank>l</a>",
                "<a href=\"http://h/?a=1&b=2\" target=\"_blank\" rel=\"noopener\">l</a>"
            ),
            ("<a href=\" java\nscript:alert(1)\">l</a>", "<a>l</a>"), ("<a href=//evil>l</a>", "<a>l</a>"),
            ("<p style=\"color: red; position: fixed; width: 10%\">x</p>", "<p style=\"color:red;width:10%\">x</p>"),
            ("<p style=\"background-color:url(x);color:expression(y)\">x</p>", "<p>x</p>"),
            ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"), ("<ul><li>a", "<ul><li>a</li></ul>"), ("</b>x", "x"),
            ("a < b <3 <", "a &lt; b &lt;3 &lt;"), ("<!-- <b>c</b> -->x<?php y ?>z", "xz"), ("<b", "<b></b>"),
            ("<td colspan=2 rowspan=x>c", "<td colspan=\"2\">c</td>"), ("a<br/>b<hr>", "a<br>b<hr>"),
            ("<b title=\"<script>\">x</b>", "<b>x</b>"), ("<scr<script>ipt>x</script>y", "ipt&gt;xy"),
            ("&lt;script&gt;&#60;&x&", "&lt;script&gt;&#60;&amp;x&amp;"),
        ])
    func sanitised(html: String, expected: String) {
        #expect(ReportHTML.sanitised(html) == expected)
        #expect(ReportHTML.sanitised(expected) == expected, "it is stable")
    }

    @Test("what is deeper than anybody needs is left out")
    func depth() {
        let html = String(repeating: "<div>", count: 5_000) + "x"
        #expect(ReportHTML.sanitised(html).utf8.count < 2_000)
    }
}

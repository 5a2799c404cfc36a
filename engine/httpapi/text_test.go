package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// browserText is data as a subscriber gets it: every line end is a line feed.
func browserText(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// Text arrives as it was published, in whatever form, and cannot be taken for anything but data.
func TestTextArrives(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	s := n.subscribe("topic=t")
	for _, text := range []string{
		"", " ", "  two blanks", "a\nb", "a\rb", "a\r\nb", "a\n\rb", "a\r\r\nb", "\n", "\r", "\r\n",
		"\n\n\n", "a\n", "\na", "\r\n\r\n",
		"data: x", "id: 7\nevent: evil\n\nretry: 1", "\n\nid: 7\n\n", "\n\n: comment", ": comment",
		"event: gap\r\rdata: {}\r\r",
		"\x00", "a\x00b", "\ufeff", "\ufeffbom", "tab\t", "\u2028\u2029\u0085", "ä€😀",
		"\x7f\x1b[31m",
		strings.Repeat("x\r\n", 5000), strings.Repeat("😀", 10_000),
	} {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		event := `{"topic":"t","data":` + string(quoted) + `}`
		for form, post := range map[string]func() said{
			"raw":    func() said { return n.raw("t", text) },
			"object": func() said { return n.json(event) },
			"array":  func() said { return n.json("[" + event + "]") },
			"line":   func() said { return n.lines(event) },
		} {
			if got := post(); got.status != 200 {
				t.Fatalf("%s of %.40q: %d %s", form, text, got.status, got.body)
			}
			if m := s.next(); m.Data != browserText(text) || m.Event != "message" {
				t.Errorf("%s of %.40q arrived as %.60q of type %q", form, text, m.Data, m.Event)
			}
		}
	}
}

// A value that is not a string is sent as its text without blanks; nothing else
// about it changes, not a digit of a number.
func TestOtherValuesArriveAsText(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	s := n.subscribe("topic=t")
	for value, expected := range map[string]string{
		`1e400`: `1e400`, `12345678901234567890`: `12345678901234567890`, `-0`: `-0`,
		`1.10`: `1.10`, `0.1E+2`: `0.1E+2`,
		`0.30000000000000004441`: `0.30000000000000004441`,
		`true`:                   `true`, ` null `: `null`, `[ 1 , 2 ]`: `[1,2]`,
		"{\n\t\"b\" : 1,\r\n \"a\" : [ ] }":     `{"b":1,"a":[]}`,
		`["\u00e4\n\/\u2028", " two  blanks "]`: `["\u00e4\n\/\u2028"," two  blanks "]`,
		`[{"a":{}},[[]],"\ud83d\ude00"]`:        `[{"a":{}},[[]],"\ud83d\ude00"]`,
	} {
		event := `{"topic":"t","data":` + value + `}`
		posts := []func() said{func() said { return n.json(event) }, func() said {
			return n.json("[" + event + "]")
		}}
		if !strings.ContainsAny(value, "\n\r") {
			posts = append(posts, func() said { return n.lines(event) })
		}
		for _, post := range posts {
			if got := post(); got.status != 200 {
				t.Fatalf("%s: %d %s", value, got.status, got.body)
			}
			if m := s.next(); m.Data != expected {
				t.Errorf("%s arrived as %s", value, m.Data)
			}
		}
	}
}

// A topic may be any text, however it is spelled.
func TestTopicsAreText(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for query, topic := range map[string]string{
		"topic=a+b": "a b", "topic=a%2Bb": "a+b", "topic=%C3%A4": "ä", "topic=a%26b%3Dc": "a&b=c",
		"topic=%25": "%", "topic=a=b": "a=b", "topic=a%2Fb": "a/b",
	} {
		s := n.subscribe(query)
		quoted, _ := json.Marshal(topic)
		n.json(`{"topic":` + string(quoted) + `,"data":"one"}`).id(t)
		n.post("?"+query, "text/plain", strings.NewReader("two")).id(t)
		if one, two := s.next(), s.next(); one.Data != "one" || two.Data != "two" {
			t.Errorf("%s: %+v %+v", query, one, two)
		}
	}
}

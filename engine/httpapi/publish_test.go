package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ssedge/engine"
)

// One event in each of the forms, as a subscriber sees it.
func TestForms(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	s := n.subscribe("topic=t")
	for i, post := range []func() said{
		func() said {
			return n.json(`{"topic":"t","data":"x","event":"e","retry":1234,"key":"k0"}`)
		},
		func() said { return n.json(` [ {"topic":"t","data":"x","event":"e","retry":1234} ] `) },
		func() said {
			return n.lines("\n" + `{"topic":"t","data":"x","event":"e","retry":1234}` + "\r\n\n")
		},
		func() said { return n.lines(`{"topic":"t","data":"x","event":"e","retry":1234}`) },
		func() said {
			return n.post("?topic=t&event=e&retry=1234&key=k1", "text/plain",
				strings.NewReader("x"))
		},
		func() said {
			return n.post("?%74opic=%74&event=e&retry=1234&", "", inChunks("x"))
		},
		func() said {
			return n.post("?topic=t&event=e&retry=1234", "application/x-www-form-urlencoded",
				strings.NewReader("x"))
		},
	} {
		got := post()
		if got.status != 200 || !strings.HasSuffix(got.body, "\n") {
			t.Fatalf("form %d: %d %s", i, got.status, got.body)
		}
		m := s.next()
		if m.Event != "e" || m.Data != "x" || !strings.Contains(got.body, `"`+m.LastEventID+`"`) {
			t.Errorf("form %d: %+v, the receipt is %s", i, m, got.body)
		}
		if ms, _ := s.decoder.RetryMS(); ms != 1234 {
			t.Errorf("form %d: retry %d", i, ms)
		}
	}
}

func TestArrayIsAllOrNothing(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	s := n.subscribe("topic=t")
	for _, text := range []string{
		`[{"topic":"t","data":"bad"},{"topic":"t"}]`,
		`[{"topic":"t","data":"bad"},{"topic":"t","data":"x","event":"a\nb"}]`,
		`[{"topic":"t","data":"bad"},{"topic":"","data":"x"}]`,
		`[{"topic":"t","data":"bad"},17]`,
		`[{"topic":"t","data":"bad"}`,
		`[{"topic":"t","data":"bad"},`,
		`[{"topic":"t","data":"bad"},]`,
		`[{"topic":"t","data":"bad"}]]`,
		`[{"topic":"t","data":"bad"}] {"topic":"t","data":"bad"}`,
		`[{"topic":"t","data":"bad"},{"topic":"t","data":"\ud800"}]`,
		`[[{"topic":"t","data":"bad"}]]`,
		`[{"topic":"t","data":"bad"} {"topic":"t","data":"bad"}]`,
	} {
		got := n.json(text)
		if got.status != 400 || !strings.Contains(got.body, `"item":`) ||
			!strings.Contains(got.body, `"published":0`) {
			t.Errorf("%s: %d %s", text, got.status, got.body)
		}
		got.reason(t)
	}
	if got := n.json(`[]`); got.status != 200 || got.body != "[]\n" {
		t.Errorf("an empty array: %d %s", got.status, got.body)
	}
	var receipts []struct{ ID string }
	got := n.json(`[{"topic":"t","data":1},{"topic":"other","data":2},{"topic":"t","data":3}]`)
	if err := json.Unmarshal([]byte(got.body), &receipts); err != nil || len(receipts) != 3 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if first, second := s.next(), s.next(); first.Data != "1" ||
		first.LastEventID != receipts[0].ID || second.Data != "3" ||
		second.LastEventID != receipts[2].ID {
		t.Errorf("%+v %+v %s", first, second, got.body)
	}
}

// What is wrong is said in the words of the interface.
func TestMalformedEvents(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for _, c := range []struct{ text, reason string }{
		{``, `expected {"topic"`},
		{` `, `expected {"topic"`},
		{`null`, "expected"},
		{`17`, `"key"; found a number`},
		{`"t"`, `expected {"topic"`},
		{`{`, `expected {"topic"`},
		{`{}`, `"data"`},
		{`{"data":"x"}`, "topic"},
		{`{"topic":"t"}`, `"data"`},
		{`{"topic":"","data":"x"}`, "topic"},
		{`{"topic":"a\u0000b","data":"x"}`, "control"},
		{`{"topic":"a\u0085b","data":"x"}`, "control"},
		{`{"topic":"` + strings.Repeat("a", 257) + `","data":"x"}`, "257"},
		{`{"topic":5,"data":"x"}`, `expected "topic" to be a string, found a number`},
		{`{"topic":["t"],"data":"x"}`, "topic"},
		{`{"topic":"t","data":"x","events":"y"}`, `unknown member "events"`},
		{`{"Topic":"t","data":"x"}`, "Topic"},
		{`{"topic":"t","data":"x","data":"y"}`, "duplicate"},
		{`{"topic":"t","data":{"a":1,"a":2}}`, "duplicate"},
		{`{"topic":"t","data":"x","event":7}`, "event"},
		{`{"topic":"t","data":"x","key":7}`, "key"},
		{`{"topic":"t","data":"x","key":"` + strings.Repeat("k", 257) + `"}`, "257"},
		{`{"topic":"t","data":"x","retry":"5"}`, "retry"},
		{`{"topic":"t","data":"x","retry":1.5}`, `as reconnection time (retry), found "1.5"`},
		{`{"topic":"t","data":"x","retry":1e3}`, "retry"},
		{`{"topic":"t","data":"x","retry":0}`, "reconnection time"},
		{`{"topic":"t","data":"x","retry":-1}`, "reconnection time"},
		{`{"topic":"t","data":"x","retry":9223372036854775808}`, "retry"},
		{`{"topic":"t","data":"x","event":"a\rb"}`, "event name"},
		{`{"topic":"t","data":"x","event":"gap"}`,
			`with or without white space around them, found "gap"`},
		{`{"topic":"t","data":"x","event":"a\nb"}`, "event name"},
		{`{"topic":"t","data":"x","event":"a\u0000b"}`, "event name"},
		{`{"topic":"t","data":"x"} x`, `expected {"topic"`},
		{`{"topic":"t","data":'x'}`, `expected {"topic"`},
		{`{"topic":"t","data":NaN}`, `expected {"topic"`},
		{`{"topic":"t","data":01}`, `expected {"topic"`},
		{"{\"topic\":\"t\",\"data\":\"\xff\"}", "UTF-8"},
		{"{\"topic\":\"t\",\"data\":[\"\xff\"]}", "UTF-8"},
		{"{\"topic\":\"\xc3\",\"data\":\"x\"}", "UTF-8"},
		{`{"topic":"t","data":"\ud800"}`, "surrogate"},
		{`{"topic":"t","data":["\udc00"]}`, "surrogate"},
		{`{"topic":"t","event":"\ud800x","data":1}`, "surrogate"},
		{`{"topic":"t","data":` + deep + `}`, "depth"},
	} {
		for form, post := range map[string]func(string) said{"object": n.json,
			"array": func(s string) said { return n.json("[" + s + "]") }, "line": n.lines} {
			if form != "object" && strings.TrimSpace(c.text) == "" {
				continue // an empty array, an empty line
			}
			got := post(c.text)
			if got.status != 400 || form == "object" && !strings.Contains(got.reason(t), c.reason) {
				t.Errorf("%.60s as %s: %d %s", c.text, form, got.status, got.body)
			}
			for _, word := range []string{"Go ", "jsontext", "httpapi", "json:", "int64"} {
				if strings.Contains(got.body, word) {
					t.Errorf("%.60s as %s: %q means nothing to a publisher: %s", c.text, form, word,
						got.body)
				}
			}
		}
	}
}

func TestMalformedRawPublish(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, c := range []struct{ query, contentType, body, reason string }{
		{"", "", "x", "topic"},
		{"?topic=", "", "x", "topic"},
		{"?topic=%ff", "", "x", "UTF-8"},
		{"?topic=a%0ab", "", "x", "control"},
		{"?topic=t&topic=u", "", "x", "once"},
		{"?topic=t&event=%0a", "", "x", "event name"},
		{"?topic=t&event=%0d", "", "x", "event name"},
		{"?topic=t&event=%00", "", "x", "event name"},
		{"?topic=t&event=%ff", "", "x", "event name"},
		{"?topic=t&key=%ff", "", "x", "key"},
		{"?topic=t&key=a&key=b", "", "x", "once"},
		{"?topic=t&k%65y=a&key=b", "", "x", "once"},
		{"?topic=t&retry=0", "", "x", "reconnection time"},
		{"?topic=t&retry=-5", "", "x", "reconnection time"},
		{"?topic=t&retry=1.5", "", "x", "reconnection time"},
		{"?topic=t&retry=9223372036854775808", "", "x", "reconnection time"},
		{"?topic=t;event=e", "", "x", "%3B"},
		{"?topic=t&evnet=e", "", "x", `found "evnet"`},
		{"?topic=t&event=gap", "", "x", `with or without white space around them, found "gap"`},
		{"?topic=t", "", "\xff", "data of UTF-8"},
		{"?topic=t", "", "ab\xc3", "data of UTF-8"},
		{"?topic=t", "", "\xed\xa0\x80", "data of UTF-8"}, // a surrogate
		{"?topic=t", "", "\xc0\x80", "data of UTF-8"},     // an overlong NUL
		{"?topic=t", "text/plain; =", "x", "Content-Type"},
		{"?topic=t", "a b", "x", "Content-Type"},
	} {
		got := n.post(c.query, c.contentType, strings.NewReader(c.body))
		if got.status != 400 || !strings.Contains(got.reason(t), c.reason) {
			t.Errorf("%s %q %q: %d %s", c.query, c.contentType, c.body, got.status, got.body)
		}
	}
}

// With JSON and NDJSON everything is in the body. If a key in the query were ignored, the event
// could be published twice. So such a request is refused, and nothing is published.
func TestNoQueryWithJSON(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	s := n.subscribe("topic=t")
	const one = `{"topic":"t","data":"bad"}`
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8",
		"Application/JSON", "application/x-ndjson", "application/ndjson", "application/jsonl"} {
		bodies := []string{one, one + "\n" + one + "\n", one + "\n{}"}
		if strings.Contains(strings.ToLower(contentType), "/json;") ||
			strings.EqualFold(contentType, "application/json") {
			bodies = []string{one, "[" + one + "," + one + "]", "[]", "[17]"}
		}
		for _, body := range bodies {
			for query, name := range map[string]string{
				"?key=k1": "key", "?topic=t": "topic", "?topic=t&event=price&nonsense=1": "topic",
				"?event=e": "event", "?retry=5": "retry", "?nonsense": "nonsense",
				"?&k%65y=k1": "key", "?=": "", "?access_token=x": "access_token", "?a;b": "a;b",
				"?a%0ab=1": `a\nb`,
			} {
				media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
				got := n.post(query, contentType, strings.NewReader(body))
				want := fmt.Sprintf(`expected no query with Content-Type %s: topic, event, retry and key go in the body, as members of each event; found "%s"`,
					media, name)
				if got.status != 400 || got.reason(t) != want {
					t.Errorf("%s as %s, %s: %d %s, expected %s", body, contentType, query,
						got.status, got.body, want)
				}
			}
		}
		for _, query := range []string{"", "?", "?&&"} { // no parameter
			n.post(query, contentType, strings.NewReader(`{"topic":"t","data":"good"}`)).id(t)
			if m := s.next(); m.Data != "good" {
				t.Fatalf("%q was published", m.Data)
			}
		}
	}
}

// An event of just the bytes that are allowed is taken; one more is not, in any
// form, with a length or without.
func TestEventBytes(t *testing.T) {
	t.Parallel()
	const limit = 1000
	n := start(t, func(c *engine.Config) { c.Rule.EventBytes, c.BodyBytes = limit, 20_000 })
	s := n.subscribe("topic=t")
	for _, name := range []string{"", "name"} {
		fits := strings.Repeat("a", limit-len(name))
		for _, more := range []string{"", "b"} {
			data := fits + more
			// what counts is the text, not how it is written
			escaped := strings.ReplaceAll(data, "a", `\u0061`)
			forms := []struct{ query, contentType, body string }{
				{"?topic=t&event=" + name, "text/plain", data},
				{"", "application/json", fmt.Sprintf(`{"topic":"t","event":%q,"data":%q}`, name,
					data)},
				{"", "application/json", fmt.Sprintf(`{"topic":"t","event":%q,"data":"%s"}`, name,
					escaped)},
				{"", "application/json", fmt.Sprintf(`[{"topic":"t","event":%q,"data":%q}]`, name,
					data)},
				{"", "application/x-ndjson",
					fmt.Sprintf(`{"topic":"t","event":%q,"data":"%s"}`, name, escaped)},
			}
			for i, f := range forms {
				for _, body := range []said{
					n.post(f.query, f.contentType, strings.NewReader(f.body)),
					n.post(f.query, f.contentType, inChunks(f.body)),
				} {
					if more == "" {
						if body.status != 200 {
							t.Errorf("form %d: %d %s", i, body.status, body.body)
						} else if m := s.next(); m.Data != data {
							t.Errorf("form %d: %d bytes arrived", i, len(m.Data))
						}
						continue
					}
					reason := body.reason(t)
					if body.status != 413 || !strings.Contains(reason, "1000") ||
						!strings.Contains(reason, "--event-bytes") ||
						!strings.Contains(reason, "found 1001") &&
							!strings.Contains(reason, "found more") {
						t.Errorf("form %d: %d %s", i, body.status, body.body)
					}
				}
			}
		}
	}
	// Line ends make an event larger on the wire, not here.
	if got := n.raw("t", strings.Repeat("\n", limit)); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if m := s.next(); m.Data != strings.Repeat("\n", limit) {
		t.Errorf("%q", m.Data)
	}
}

func TestBodyBytes(t *testing.T) {
	t.Parallel()
	const limit = 5000
	n := start(t, func(c *engine.Config) { c.Rule.EventBytes, c.BodyBytes = 1000, limit })
	text := `{"topic":"t","data":1}`
	fits := text + strings.Repeat(" ", limit-len(text))
	for _, chunks := range []bool{false, true} {
		post := func(body string) said {
			if chunks {
				return n.post("", "application/json", inChunks(body))
			}
			return n.json(body)
		}
		if got := post(fits); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
		got := post(fits + " ")
		if reason := got.reason(t); got.status != 413 || !strings.Contains(reason, "5000") ||
			!strings.Contains(reason, "--body-bytes") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

func TestBodyThatEndsEarly(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	c := n.dialRaw("POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key +
		"\r\nContent-Length: 10\r\n\r\nabc")
	c.closeWrite()
	if resp, body := c.answer(); resp.StatusCode != 400 || !strings.Contains(body, "ended early") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

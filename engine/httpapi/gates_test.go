package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"ssedge/engine"
	"ssedge/proto/rule"
	"ssedge/proto/rule/ruletest"
)

// limited is a node with the bounds of the table of cases.
func limited(c *engine.Config) {
	c.Rule.TopicBytes, c.Rule.EventBytes, c.Rule.KeyBytes = ruletest.Limits.TopicBytes,
		ruletest.Limits.EventBytes, ruletest.Limits.KeyBytes
}

// asJSON is a case as an event in JSON. Bytes that are not UTF-8 stay as they are.
func asJSON(c ruletest.Case) string {
	text := fmt.Sprintf(`{"topic":"%s","data":"%s","event":"%s","key":"%s"`, escaped(c.Topic),
		escaped(c.Data), escaped(c.Event), escaped(c.Key))
	if c.Retry != "" {
		text += `,"retry":` + c.Retry
	}
	return text + "}"
}

// escaped is what stands between the quotes of a string in JSON.
func escaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func asQuery(c ruletest.Case) string {
	q := url.Values{"topic": {c.Topic}, "event": {c.Event}, "key": {c.Key}}
	if c.Retry != "" {
		q.Set("retry", c.Retry)
	}
	return "?" + q.Encode()
}

// Each form of a publish holds every case to the rule and refuses it in the rule's words. A case
// that is accepted arrives unchanged.
func TestGatesOfPublishing(t *testing.T) {
	t.Parallel()
	for form, post := range map[string]func(*node, ruletest.Case) said{
		"object": func(n *node, c ruletest.Case) said { return n.json(asJSON(c)) },
		"array":  func(n *node, c ruletest.Case) said { return n.json("[" + asJSON(c) + "]") },
		"line":   func(n *node, c ruletest.Case) said { return n.lines(asJSON(c)) },
		"raw": func(n *node, c ruletest.Case) said {
			return n.post(asQuery(c), "text/plain", strings.NewReader(c.Data))
		},
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			n := start(t, limited)
			for _, c := range ruletest.Cases() {
				if form != "raw" && c.Retry != strings.TrimSpace(c.Retry) {
					continue // blanks around a number are JSON's
				}
				got := post(n, c)
				if c.What == "" {
					if got.status != 200 {
						t.Errorf("%s: %d %s", c.Name, got.status, got.body)
						continue
					}
					s := n.subscribe("last_event_id=earliest&topic=" + url.QueryEscape(c.Topic))
					m := s.next()
					ms, _ := s.decoder.RetryMS()
					if name := c.Event; m.Data != arrives(c.Data) || m.Event != name &&
						(name != "" || m.Event != "message") || c.Retry != "" &&
						fmt.Sprint(ms) != c.Retry {
						t.Errorf("%s: arrived as %+v, retry %d", c.Name, m, ms)
					}
					s.conn.Close()
					continue
				}
				want := 400
				if c.What == rule.Size {
					want = 413
				}
				words := expected(form, c)
				if got.status != want && !(c.What == rule.Size && words == "UTF-8") ||
					!strings.Contains(reasonOf(got.body), words) {
					t.Errorf("%s: %d %s, expected %d and %q", c.Name, got.status, got.body, want,
						words)
				}
			}
		})
	}
}

// expected is the text of a refusal: that of the rule, unless the form cannot express the case.
func expected(form string, c ruletest.Case) string {
	asText := asJSON(c)
	switch {
	case form != "raw" && !utf8.ValidString(asText):
		return "UTF-8"
	case form != "raw" && !json.Valid([]byte(asText)):
		return "expected"
	case c.Topic == "":
		return "expected"
	}
	return "expected " + ruletest.Limits.Expected(c.What) + ", found "
}

// arrives is what receivers read: each line end is a line feed to them.
func arrives(data string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
}

func reasonOf(body string) string {
	var a struct{ Error string }
	json.Unmarshal([]byte(body), &a)
	return a.Error
}

// A request for a stream holds its topics to the same rule, whether intake or net/http reads it.
func TestGatesOfSubscribing(t *testing.T) {
	t.Parallel()
	n := start(t, limited)
	for _, c := range ruletest.Cases() {
		if c.What != "" && c.What != rule.Topic {
			continue
		}
		for _, method := range []string{"GET", "HEAD"} {
			r, err := http.NewRequest(method, n.url+"/events?topic=good&topic="+
				url.QueryEscape(c.Topic), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := n.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if c.What == "" && resp.StatusCode != 200 || c.What != "" && resp.StatusCode != 400 {
				t.Errorf("%s, %s: %s", c.Name, method, resp.Status)
			}
			if c.What != "" && method == "GET" {
				text := make([]byte, 4096)
				k, _ := resp.Body.Read(text)
				if words := "expected " + ruletest.Limits.Expected(rule.Topic) +
					", found "; !strings.Contains(reasonOf(string(text[:k])), words) {
					t.Errorf("%s: %s", c.Name, text[:k])
				}
			}
			resp.Body.Close()
		}
	}
}

package template

import (
	"strings"
	"testing"
)

func TestNamesAreFilledIn(t *testing.T) {
	values := Values{Topic: 7, Stream: 12, Now: 1763880000123, Run: "ab", Payload: []byte("~x")}
	for text, want := range map[string]string{
		"":                     "",
		"plain":                "plain",
		"/t{topic}":            "/t7",
		"{topic}{stream}{run}": "712ab",
		`{"channel":"t{topic}","d":{"v":"{payload}","at":{now}}}`: `{"channel":"t7","d":{"v":"~x","at":1763880000123}}`,
		"{}{ topic }{0}": "{}{ topic }{0}",
	} {
		parsed, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := string(parsed.Append(nil, &values)); got != want {
			t.Errorf("%q: expected %q, found %q", text, want, got)
		}
		if parsed.Has(Payload) != strings.Contains(text, "{payload}") {
			t.Errorf("%q: Has(payload) = %v", text, parsed.Has(Payload))
		}
	}
}

func TestAnUnknownNameIsRefused(t *testing.T) {
	for _, name := range []string{"{tpoic}", "{Topic}", "{TOPIC}"} {
		_, err := Parse("/" + name)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(),
			"{topic}") {
			t.Errorf("found %v", err)
		}
	}
}

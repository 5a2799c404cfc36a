package rule_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"ssedge/proto/rule"
	"ssedge/proto/rule/ruletest"
	"ssedge/proto/sse"
)

// check is all checks. Their order differs between gates, but no case breaks two of the rules for
// topics, keys, retry and events.
func check(l rule.Limits, c *ruletest.Case) error {
	if err := l.Topic([]byte(c.Topic)); err != nil {
		return err
	}
	if err := l.Key(c.Key); err != nil {
		return err
	}
	ms := int64(0)
	if c.Retry != "" {
		var err error
		if ms, err = l.ParseRetry([]byte(c.Retry)); err != nil {
			return err
		}
	}
	return l.Event([]byte(c.Event), []byte(c.Data), ms)
}

func TestCases(t *testing.T) {
	names, topics := map[string]bool{}, map[string]bool{}
	for _, c := range ruletest.Cases() {
		err := check(ruletest.Limits, &c)
		var refused *rule.Error
		if errors.As(err, &refused); c.What == "" && err != nil || c.What != "" &&
			(refused == nil || refused.What != c.What) {
			t.Errorf("%s: %v, expected %q", c.Name, err, c.What)
		}
		if err != nil {
			text := err.Error()
			if !strings.HasPrefix(text, "expected "+ruletest.Limits.Expected(c.What)+", found ") ||
				len(text) > 700 || strings.ContainsFunc(text, unicode.IsControl) ||
				!utf8.ValidString(text) {
				t.Errorf("%s: %q is not one short line that says what was expected and found",
					c.Name, text)
			}
		}
		if names[c.Name] || c.What == "" && topics[c.Topic] {
			t.Errorf("%s: it is there twice, or its topic %q is", c.Name, c.Topic)
		}
		names[c.Name], topics[c.Topic] = true, true
	}
}

// What the rule takes can be put on the wire and read back.
func TestWhatIsTakenCanBeWritten(t *testing.T) {
	for _, c := range ruletest.Cases() {
		if c.What != "" {
			continue
		}
		ms, _ := strconv.ParseInt(c.Retry, 10, 64)
		e := sse.Event{Name: []byte(c.Event), Data: []byte(c.Data), RetryMS: ms}
		back, err := sse.ParseBody(sse.AppendBody(nil, &e))
		if data := strings.ReplaceAll(c.Data, "\r", "\n"); err != nil ||
			string(back.Name) != c.Event || string(back.Data) != data || back.RetryMS != ms {
			t.Errorf("%s: %+v, %v", c.Name, back, err)
		}
	}
}

// Without the server's bounds, everything else is still held to the rule.
func TestWithoutBounds(t *testing.T) {
	for _, c := range ruletest.Cases() {
		tooLong := len(c.Topic) > ruletest.Limits.TopicBytes ||
			len(c.Key) > ruletest.Limits.KeyBytes ||
			len(c.Data)+len(c.Event) > ruletest.Limits.EventBytes
		if tooLong && utf8.ValidString(c.Data) {
			c.What = ""
		}
		if err := check(rule.Limits{}, &c); (err == nil) != (c.What == "") {
			t.Errorf("%s: %v", c.Name, err)
		} else if err != nil && strings.Contains(err.Error(), "--") {
			t.Errorf("%s: %v names a setting that does not count here", c.Name, err)
		}
	}
}

// A refusal quotes what was found, cut to a bounded length.
func TestWhatIsFound(t *testing.T) {
	l := ruletest.Limits
	for _, c := range []struct {
		err  error
		says string
	}{
		{l.Topic([]byte("a\nb")), `found "a\nb"`},
		{l.Topic([]byte(strings.Repeat("\u00e4", 50))), `"` + strings.Repeat("\u00e4", 40) +
			`"… (100 bytes)`},
		{l.Topic([]byte("x" + strings.Repeat("\u20ac", 50))), `"x` + strings.Repeat("\u20ac", 26) +
			`"… (151 bytes)`},
		{l.Event(nil, []byte("ab\xc3"), 0), `found "\xc3" at byte 2`},
		{l.Event([]byte("gap"), nil, 0), `found "gap"`},
		{l.Event(nil, make([]byte, 1001), 0), `found 1001`},
		{l.Event(nil, nil, -5), `found -5`},
		{l.Event(nil, nil, rule.RetryMax+1), `found 2147483648`},
		{l.Key("k\xff"), `found "k\xff"`},
	} {
		if c.err == nil || !strings.HasSuffix(c.err.Error(), c.says) {
			t.Errorf("%v, expected %s", c.err, c.says)
		}
	}
}

func TestValidInputCostsNoAllocation(t *testing.T) {
	topic, name, data := []byte("prices/eur"), []byte("price"), []byte("{}")
	if n := testing.AllocsPerRun(100, func() {
		if ruletest.Limits.Topic(topic) != nil || ruletest.Limits.Event(name, data, 5) != nil ||
			ruletest.Limits.Key("k") != nil {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Topic looks at bytes; this test states the rule in characters.
func FuzzTopic(f *testing.F) {
	for _, c := range ruletest.Cases() {
		f.Add(c.Topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		want := topic != "" && len(topic) <= 64 && topic[0] != '$' && utf8.ValidString(topic) &&
			!strings.ContainsFunc(topic, unicode.IsControl)
		if err := ruletest.Limits.Topic([]byte(topic)); (err == nil) != want {
			t.Errorf("%q: %v", topic, err)
		}
	})
}

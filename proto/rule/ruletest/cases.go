// Package ruletest is the table of cases with which every gate is tested: package rule itself, HTTP
// in its three forms, the command line, the publish script and function, and the channels and
// streams of Redis. It is data; each gate's test says how a case comes to the gate.
package ruletest

import (
	"fmt"
	"strings"

	"ssedge/proto/rule"
)

// Limits are the bounds for which the cases are made: a gate under test must be set to them.
var Limits = rule.Limits{TopicBytes: 64, EventBytes: 1000, KeyBytes: 64}

// Case is an event and what becomes of it.
type Case struct {
	Name  string
	Topic string
	Event string
	Data  string
	Key   string
	Retry string    // as it is written; "" is none
	What  rule.What // that it is refused for; "" if it is taken
}

// text is a text that may stand in some places.
type text struct{ name, text string }

// good are texts of UTF-8 without control characters.
var good = []text{
	{"of 1 byte", "a"},
	{"of 2-byte characters", "\u00a0\u00e4\u07ff"}, // U+00A0 is right behind C1
	{"of 3-byte characters", "\u0800\u20ac\ud7ff\ue000\uffff"},
	{"of 4-byte characters", "\U00010000\U0001f600\U0010ffff"},
	{"of all lengths", "a\u00e4\u20ac\U0001f600z"},
	{"with U+2028", "a\u2028b"},
	{"with a byte order mark", "\ufeffa"},
	{"with U+FFFD", "a\ufffdb"},
	{"with braces and per cent", "{a}%25%{7B}%%"},
	{"with quotes", `"a"\'b'`},
	{"with blanks", "  a  b  "},
	{"that is a glob", "a*?[b]"},
	{"with a dollar", " $a"},
}

// controls are UTF-8 with control characters. Data may have them.
var controls = []text{
	{"with NUL", "a\x00b"},
	{"with LF", "a\nb"},
	{"with CR", "a\rb"},
	{"with TAB", "a\tb"},
	{"with ESC", "a\x1bb"},
	{"with U+001F", "a\x1f"},
	{"with DEL", "a\x7fb"},
	{"with U+0080", "a\u0080"},
	{"with U+0085", "a\u0085b"},
	{"with U+009F", "\u009fb"},
}

// broken are no UTF-8.
var broken = []text{
	{"with a byte of no character", "a\xff"},
	{"with FE", "\xfea"},
	{"in Latin-1", "caf\xe9"},
	{"with a lone continuation", "a\x80b"},
	{"with one continuation too many", "\u00e4\xbfb"},
	{"with a character of 2 bytes cut short", "a\xc3"},
	{"with a character of 3 bytes cut short", "a\xe2\x82"},
	{"with a character of 4 bytes cut short", "\xf0\x9f\x98a"},
	{"with a character inside another", "\xe2\xc3\xa4\x82\xac"},
	{"with NUL in 2 bytes", "\xc0\x80"},
	{"with an overlong character of 2 bytes", "\xc1\xbf"},
	{"with an overlong character of 3 bytes", "\xe0\x9f\xbf"},
	{"with an overlong character of 4 bytes", "\xf0\x8f\xbf\xbf"},
	{"with the first surrogate", "\xed\xa0\x80"},
	{"with the last surrogate", "\xed\xbf\xbf"},
	{"with a pair of surrogates", "\xed\xa0\xbd\xed\xb8\x80"},
	{"beyond U+10FFFF", "\xf4\x90\x80\x80"},
	{"with F5", "\xf5\x80\x80\x80"},
	{"of 5 bytes", "\xf8\x88\x80\x80\x80"},
}

// Cases returns all cases. Each valid topic occurs only once.
func Cases() []Case {
	var all []Case
	add := func(c Case) {
		if c.Topic == "" && c.What != rule.Topic {
			c.Topic = fmt.Sprint("case ", len(all))
		}
		if c.Data == "" && c.What != rule.Data && !strings.HasPrefix(c.Name, "data") {
			c.Data = "data"
		}
		all = append(all, c)
	}
	l := Limits
	add(Case{Name: "everything", Event: "price", Data: `{"eur":12}`, Key: "k", Retry: "1500"})

	topic := func(what rule.What, texts ...text) {
		for _, t := range texts {
			add(Case{Name: "a topic " + t.name, Topic: t.text, What: what})
		}
	}
	topic("", good...)
	topic(rule.Topic, controls...)
	topic(rule.Topic, broken...)
	topic(rule.Topic, text{"that is empty", ""}, text{"of the server's", "$x"},
		text{"that is a dollar", "$"},
		text{"one byte too long", long(l.TopicBytes + 1)},
		text{"one byte too long, of 2-byte characters", long(l.TopicBytes-1) + "\u00e4"},
		text{"one byte too long, of per cent", strings.Repeat("%", l.TopicBytes+1)},
		text{"very long", long(20 * l.TopicBytes)})
	topic("", text{"of all bytes", long(l.TopicBytes)},
		text{"of all bytes, of 2-byte characters", long(l.TopicBytes-2) + "\u00e4"},
		text{"of all bytes, of per cent", strings.Repeat("%", l.TopicBytes)},
		text{"that is a per cent", "100%"},
		text{"named ssedge", "ssedge"}, text{"named gap", "gap"})

	event := func(what rule.What, texts ...text) {
		for _, t := range texts {
			add(Case{Name: "an event named " + t.name, Event: t.text, What: what})
		}
	}
	event("", good...)
	event(rule.Name, broken...)
	for i, c := range controls {
		if i < 3 { // NUL, LF, CR
			event(rule.Name, c)
		} else {
			event("", c)
		}
	}
	for _, name := range []string{"gap", "open", "error", "ssedge", "ssedgeX", "ssedge-gap",
		"ssedge\u00e4"} {
		event(rule.Name, text{name, name})
	}
	for _, blank := range []string{" ", "\t", "\x01", "\x1f", "\u0085", "\u00a0", "\u1680",
		"\u2000", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff",
		" \u3000\ufeff\t"} {
		for _, name := range []string{blank + "gap", "error" + blank, blank + "open" + blank,
			blank + "ssedge-x"} {
			event(rule.Name, text{fmt.Sprintf("%+q", name), name})
		}
	}
	for _, name := range []string{"message", "Gap", "gaps", "Open", "opened", "errors", "Error",
		"Ssedge", "ssedg", "SSEDGE", "xssedge", " gaps ", "g ap", " ", "\u3000",
		"\u200bgap", "gap\u180e", "x\u00a0gap", "\u00e4gap", "gap\u00e4", "\u3001gap"} {
		event("", text{name, name})
	}

	data := func(what rule.What, texts ...text) {
		for _, t := range texts {
			add(Case{Name: "data " + t.name, Data: t.text, What: what})
		}
	}
	data("", good...)
	data("", controls...)
	data(rule.Data, broken...)
	data(rule.Data, text{"broken at the end of much", long(l.EventBytes-1) + "\xff"})
	data("", text{"that are empty", ""}, text{"of all bytes", long(l.EventBytes)},
		text{"of all bytes, of 3-byte characters",
			"a" + strings.Repeat("\u20ac", (l.EventBytes-1)/3)}, text{"of line ends",
			strings.Repeat("\n", 100)})
	data(rule.Size, text{"one byte too long", long(l.EventBytes + 1)},
		text{"too long, and broken", "\xff" + long(l.EventBytes)})
	add(Case{Name: "an event of all bytes with its name", Event: "name",
		Data: long(l.EventBytes - 4)})
	add(Case{Name: "an event one byte too long with its name", Event: "name",
		Data: long(l.EventBytes - 3), What: rule.Size})

	key := func(what rule.What, texts ...text) {
		for _, t := range texts {
			add(Case{Name: "a key " + t.name, Key: t.text, What: what})
		}
	}
	key("", good...)
	key("", controls...)
	key(rule.Key, broken...)
	key("", text{"of all bytes", long(l.KeyBytes)},
		text{"of all bytes, of 2-byte characters", long(l.KeyBytes-2) + "\u00e4"})
	key(rule.Key, text{"one byte too long", long(l.KeyBytes + 1)},
		text{"very long", long(20 * l.KeyBytes)})

	for _, ms := range []string{"1", "10", "2147483646", "2147483647"} {
		add(Case{Name: "a retry of " + ms, Retry: ms})
	}
	for _, ms := range []string{
		"0", "-1", "2147483648", "4294967297", "9223372036854775808", "18446744073709551617",
		"1" + strings.Repeat("0", 400),
		"1e3", "1.0", "1.5", "-0", "01", "+1", "0x10", "1 ", " 1", "1_000", "x", "1\x00", "\u0661",
		"5s",
	} {
		add(Case{Name: "a retry of " + ms[:min(len(ms), 25)], Retry: ms, What: rule.Retry})
	}
	return all
}

func long(n int) string { return strings.Repeat("x", n) }

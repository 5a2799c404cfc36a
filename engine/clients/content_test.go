package clients

import (
	"bytes"
	"strings"
)

// contents are events whose data and names are of every kind that can be published.
func contents() []event {
	long := strings.Repeat("sixteen bytes é ", 4096)
	all := []event{
		{data: "plain"},
		{data: ""},
		{data: `{"json":[1,"two",null]}`},
		{data: "two\nlines"},
		{data: "three\r\nends of\rlines\nof all kinds"},
		{data: "ends with a line\n"},
		{data: "\nbegins with an empty one"},
		{data: "\n"},
		{data: "\n\n\n"},
		{data: "\r\n\r"},
		{data: " a leading space"},
		{data: "   three"},
		{data: "\ta tab"},
		{data: "a trailing space "},
		{data: ": a colon"},
		{data: ":\n:\n"},
		{data: "data: a field\nid: 5\nevent: x\nretry: 1\n\nid: 6"},
		{data: "two bytes é ü ñ, three € ✓ \u0939, four 😀 𝄞 \U0010ffff"},
		{data: "combined e\u0301, joined 👩\u200d👩\u200d👧, from the right \u202eabc"},
		{data: "line separators \u2028 and \u2029, next line \u0085, \v vertical and \f form feed"},
		{data: "NUL \x00 in it, and \x00"},
		{data: "controls \x01 \x07 \b \x1b[31m \x7f"},
		{data: "\ufeffbegins with a BOM"},
		{data: "not a character \uffff \ufffe \ufffd"},
		{data: long},
		{data: long[:60000] + "\n" + long[:5000]},
		{name: "price", data: "named"},
		{name: "price", data: ""},
		{name: "prix élevé: 1", data: "a name with spaces, a colon and accents"},
		{name: "message", data: "named as all are that have no name"},
		{data: "with a retry", retry: 210},
		{name: "price", data: "named, with a retry", retry: 220},
	}
	return all
}

// place is where the connection is cut on which an event comes, and where those are cut with
// which the client comes back.
type place struct {
	name      string
	eventName string
	inEvent   func(marker string) cut
	opening   []cut
}

// places are hostile to parsers: inside what must not be taken for whole.
func places() []place {
	event := func(name, from string, after int, reset bool) func(string) cut {
		return func(marker string) cut { return behind(name, marker, from, after, reset) }
	}
	before := func(name, ending string, reset bool) func(string) cut {
		// just behind what comes before the data
		return func(marker string) cut { return inside(name, ending+marker, len(ending), reset) }
	}
	const blank = "\n\n"
	return []place{
		{name: "in data", inEvent: event("", " é€😀 ", 3, false)},
		{name: "in a character", inEvent: event("", "😀", 2, false), opening: []cut{
			{name: "the head's end", at: func(sent []byte) int { return endOf(sent, "\r\n\r\n") }},
		}},
		{name: "between two lines of data", inEvent: event("", "😀\n", len("😀\n"), false)},
		{name: "in the field's name", inEvent: event("", "\ndata", 3, true)},
		{name: "before the id", inEvent: event("", "line\n", len("line\n"), false), opening: []cut{
			inside("inside the opening's data", `data: {"state"`, 10, false),
		}},
		{name: "in the id", inEvent: event("", "\nid: 1", len("\nid: 1")+5, false)},
		{name: "in the id, by a reset", inEvent: event("", "\nid: 1", len("\nid: 1")+7, true),
			opening: []cut{
				inside("inside the opening's id", "\nid: 1", len("\nid: 1")+4, false),
			}},
		{name: "after the id, before its end", inEvent: func(marker string) cut {
			return cut{"", func(sent []byte) int {
				if i := bytes.Index(sent, []byte(marker)); i >= 0 {
					if end := endOf(sent[i:], blank); end >= 0 {
						return i + end - 2
					}
				}
				return -1
			}, false}
		}},
		{name: "between the id and the blank line", inEvent: func(marker string) cut {
			return cut{"", func(sent []byte) int {
				if i := bytes.Index(sent, []byte(marker)); i >= 0 {
					if end := endOf(sent[i:], blank); end >= 0 {
						return i + end - 1
					}
				}
				return -1
			}, false}
		}, opening: []cut{
			{name: "between the opening's id and the blank line", at: func(sent []byte) int {
				if end := endOf(sent, blank); end >= 0 {
					return end - 1
				}
				return -1
			}},
		}},
		{name: "in a heartbeat", inEvent: event("", "\n:", 2, false)},
		{name: "behind the event", inEvent: event("", blank, 2, true)},
		{name: "after a name", eventName: "named", inEvent: before("", "data: ", false)},
	}
}

// inHeads are cuts before a response has a head that is whole.
func inHeads() []cut {
	return []cut{
		{name: "before its first byte", at: func(sent []byte) int { return 0 }},
		inside("in a field", "\r\nCache-Control: ", 10, false),
		inside("in the status line", "HTTP/1.1 200", 5, false),
	}
}

// endOf is where the first occurrence of a text ends, or -1.
func endOf(sent []byte, text string) int {
	if i := bytes.Index(sent, []byte(text)); i >= 0 {
		return i + len(text)
	}
	return -1
}

// Package template fills in the few names with which the load tool is told how to talk to a server.
package template

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The names. In URLs, header values and bodies {name} is replaced; any other text, JSON's braces
// too, stays as it is.
const (
	Topic   = "topic"   // number of the topic
	Payload = "payload" // what is published: letters, digits, '-', '_' and '~' only
	Now     = "now"     // Unix time, milliseconds
	Run     = "run"     // a word that differs from run to run
	Stream  = "stream"  // number of the stream, in what a subscriber sends
)

var names = []string{Topic, Payload, Now, Run, Stream}

// Values are what the names stand for in one text.
type Values struct {
	Topic   int
	Stream  int
	Now     int64
	Run     string
	Payload []byte
}

// Template is a text with names in it. It is not changed after Parse.
type Template struct{ parts []part }

// part is literal text and the name that follows it; "" at the end.
type part struct{ text, name string }

var braces = regexp.MustCompile(`\{[A-Za-z_]+\}`)

// Parse refuses a name that it does not know: it would be sent as it stands.
func Parse(text string) (Template, error) {
	var t Template
	at := 0
	for _, found := range braces.FindAllStringIndex(text, -1) {
		name := text[found[0]+1 : found[1]-1]
		if !slices.Contains(names, name) {
			return t, fmt.Errorf("%q: expected {%s}, found {%s}", text, strings.Join(names, "}, {"),
				name)
		}
		t.parts = append(t.parts, part{text[at:found[0]], name})
		at = found[1]
	}
	t.parts = append(t.parts, part{text: text[at:]})
	return t, nil
}

// Has reports whether a name is in the text.
func (t Template) Has(name string) bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.name == name })
}

// Append appends the text with everything filled in.
func (t Template) Append(dst []byte, v *Values) []byte {
	for _, p := range t.parts {
		dst = append(dst, p.text...)
		switch p.name {
		case Topic:
			dst = strconv.AppendInt(dst, int64(v.Topic), 10)
		case Stream:
			dst = strconv.AppendInt(dst, int64(v.Stream), 10)
		case Now:
			dst = strconv.AppendInt(dst, v.Now, 10)
		case Run:
			dst = append(dst, v.Run...)
		case Payload:
			dst = append(dst, v.Payload...)
		}
	}
	return dst
}

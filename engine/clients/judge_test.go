package clients

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// event is one that was published.
type event struct {
	name, data string
	retry      int
	id         string
}

// wanted is what a client hands out of its data: the standard knows one end of a line (WHATWG
// HTML 9.2.6).
func (e event) wanted() string {
	return strings.ReplaceAll(strings.ReplaceAll(e.data, "\r\n", "\n"), "\r", "\n")
}

func (e event) kind() string {
	if e.name == "" {
		return "message"
	}
	return e.name
}

// heard is a thing that a client handed out.
type heard struct{ What, Type, Data, ID, Why string }

// verdict is what a client came to, in the words of README.md.
type verdict struct {
	words   []string
	details []string
}

func (v *verdict) add(word, detail string, args ...any) {
	v.details = append(v.details, word+": "+fmt.Sprintf(detail, args...))
	for _, w := range v.words {
		if w == word {
			return
		}
	}
	v.words = append(v.words, word)
}

// wordOrder is how words stand beside each other, the worst first.
var wordOrder = []string{"gives up", "refused", "loses", "invents", "changes", "doubles",
	"disorders", "half ids", "spoils", "told"}

func (v verdict) String() string {
	if len(v.words) == 0 {
		return "exact"
	}
	words := slices.Clone(v.words)
	slices.SortFunc(words, func(a, b string) int {
		return slices.Index(wordOrder, a) - slices.Index(wordOrder, b)
	})
	return strings.Join(words, ", ")
}

// judge compares what was published with what was handed out. sentWhole says which ids the
// server has sent.
func judge(published []event, all []heard, sentWhole func(id string) bool) (v verdict) {
	got := make([]int, len(published))
	var gaps []gap
	var odd []heard
	for _, h := range all {
		if h.What != "message" {
			continue
		}
		if !sentWhole(h.ID) {
			v.add("half ids", "%q", h.ID)
		}
		switch h.Type {
		case "ssedge":
			if !json.Valid([]byte(h.Data)) {
				v.add("spoils", "the opening %q", h.Data)
			}
			continue
		case "gap":
			var g gap
			if json.Unmarshal([]byte(h.Data), &g) != nil {
				v.add("spoils", "the gap %q", h.Data)
			}
			gaps = append(gaps, g)
			continue
		}
		if i := match(published, h); i >= 0 {
			got[i]++
		} else {
			odd = append(odd, h)
		}
	}
	for _, h := range odd {
		i := -1
		for k, e := range published {
			if e.id == h.ID && got[k] == 0 && h.ID != "" {
				i = k
			}
		}
		if i >= 0 {
			got[i]++
			v.add("changes", "%q came as %.60q %.60q", published[i].data, h.Type, h.Data)
		} else {
			v.add("invents", "%q %.60q %q", h.Type, h.Data, h.ID)
		}
	}
	told := len(gaps) > 0
	for i, e := range published {
		switch {
		case got[i] > 1:
			v.add("doubles", "%.60q %s, %d times", e.data, e.id, got[i])
		case got[i] == 0 && !covered(gaps, e.id):
			v.add("loses", "%.60q %s", e.data, e.id)
		}
	}
	if at := disorder(published, all); at != "" {
		v.add("disorders", "%s", at)
	}
	if told {
		v.add("told", "%+v", gaps)
	}
	return v
}

// match finds the event that a client handed out: its data, its name and, where the client
// gives one, its id.
func match(published []event, h heard) int {
	for i, e := range published {
		if e.wanted() == h.Data && e.kind() == h.Type && (h.ID == e.id || h.ID == "") {
			return i
		}
	}
	return -1
}

// disorder finds an event that came before its predecessor.
func disorder(published []event, all []heard) string {
	last := -1
	for _, h := range all {
		if i := match(published, h); h.What == "message" && i >= 0 && h.ID != "" {
			if i < last {
				return h.ID
			}
			last = i
		}
	}
	return ""
}

// gap is the data of a gap event.
type gap struct {
	Topic, Cause string
	From, To     *string
}

// covered reports whether a gap told of an event.
func covered(gaps []gap, id string) bool {
	for _, g := range gaps {
		if (g.From == nil || less(*g.From, id)) && (g.To == nil || !less(*g.To, id)) {
			return true
		}
	}
	return false
}

// less compares ids, <milliseconds>-<number> or milliseconds alone.
func less(a, b string) bool {
	ams, an := split(a)
	bms, bn := split(b)
	return ams < bms || ams == bms && an < bn
}

func split(id string) (ms, n int64) {
	before, after, ok := strings.Cut(id, "-")
	ms, _ = strconv.ParseInt(before, 10, 64)
	if n = -1; ok {
		n, _ = strconv.ParseInt(after, 10, 64)
	}
	return ms, n
}

package engine_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The judge knows nothing of how edges work. It compares the answers that publishers got, what
// every client was sent over all its connections, and what the servers have in the end, and checks
// what the README promises.

// receipt is an event that was acknowledged.
type receipt struct {
	topic, data, id string
	by              string // its publisher; the events of one publisher come in the order of n …
	n               int
	sent, acked     time.Time
}

// incident is one event of a stream, as a browser would have it.
type incident struct {
	at             time.Time
	name, data, id string
}

// visit is one connection of a client.
type visit struct {
	edge          int
	resumed       string // with this id; "" without one
	dialled, head time.Time
	got           []incident
}

// record is a client: everything it was sent.
type record struct {
	name   string
	topics []string
	visits []visit
}

// trial is what is known besides.
type trial struct {
	acked map[string][]receipt // by topic
	// data of everything that was sent to be published, answered or not
	tried map[string]bool
	kept  map[string]map[string]bool // data that the servers have in the end, by topic
	// data that each edge is known to have had, because it sent it to a client
	heard []map[string]bool
	// causes of gaps for which what the servers still have may be dropped
	may map[string]bool
	// how long before a client came an event may have been acknowledged that it is sent though it
	// asked for none
	early time.Duration
	// no server has forgotten anything: the ids of events only rise
	ordered bool
}

// verdict is what the judge finds.
type verdict struct {
	faults  []string       // what must never be
	missing []string       // events that neither came nor were told of: they may still come
	notes   map[string]int // what is allowed, and counted
}

func (v *verdict) fault(r *record, format string, a ...any) {
	v.faults = append(v.faults, r.name+": "+fmt.Sprintf(format, a...))
}

// oldest is trial.early where all servers have the same clock: edges know the clock to a few
// seconds.
const oldest = 3 * time.Second

// told is a gap. What is missing lies after from, and not after to.
type told struct {
	at       time.Time
	from, to eventPlace
	cause    string
}

// behind is how much later one edge may get an event than another. If the event has no id, the
// later edge cannot know that a client had it from the other one.
const behind = 2 * time.Second

// eventPlace is an id, or a place between ids.
type eventPlace struct{ ms, seq uint64 }

func (a eventPlace) less(b eventPlace) bool { return a.ms < b.ms || a.ms == b.ms && a.seq < b.seq }

// placeOf reads an id, or a time, which stands for the last place before it.
func placeOf(text string) (eventPlace, error) {
	ms, seq, isID := strings.Cut(text, "-")
	a, err := strconv.ParseUint(ms, 10, 64)
	if err != nil {
		return eventPlace{}, err
	}
	if !isID {
		return eventPlace{a - 1, math.MaxUint64}, nil
	}
	b, err := strconv.ParseUint(seq, 10, 64)
	return eventPlace{a, b}, err
}

// judge judges all a client was sent.
func (tr *trial) judge(r *record) verdict {
	v := verdict{notes: map[string]int{}}
	if len(r.visits) == 0 {
		v.missing = append(v.missing, r.name+" has never got a response head")
		return v
	}
	for _, topic := range r.topics {
		tr.judgeTopic(r, topic, &v)
	}
	return v
}

func (tr *trial) judgeTopic(r *record, topic string, v *verdict) {
	known := map[string]*receipt{}
	for i := range tr.acked[topic] {
		known[tr.acked[topic][i].data] = &tr.acked[topic][i]
	}
	came := map[string]int{}   // the visit, by data
	newest := map[string]int{} // number of what came last, by publisher
	var gaps []told
	last := "" // id
	for i, visit := range r.visits {
		for _, m := range visit.got {
			if m.name == "gap" {
				if g, ok := readGap(r, topic, m, v); ok {
					gaps = append(gaps, g)
				}
			} else if m.name != "" { // of the server's own
				continue
			} else if strings.HasPrefix(m.data, topic+" ") {
				if n, again := came[m.data]; again && strings.Contains(m.data, " raw ") &&
					r.visits[n].edge != visit.edge && m.at.Sub(visit.dialled) < behind {
					v.notes["without an id, and came again at an edge that had it later"]++
				} else if again {
					v.fault(r, "%s came twice, %s the second time", brief(m.data), m.id)
				}
				came[m.data] = i
				p := known[m.data]
				switch {
				case p == nil && !tr.tried[m.data]:
					v.fault(r, "%s came, but was never published", brief(m.data))
				case p == nil:
					v.notes["events that came though they were not acknowledged"]++
				default:
					if len(r.topics) == 1 && p.id != m.id {
						v.fault(r, "%s came as %s, and was acknowledged as %s", brief(m.data), m.id,
							p.id)
					}
					if n, ok := newest[p.by]; ok && n > p.n {
						v.fault(r, "%s came behind number %d of the same publisher", brief(m.data),
							n)
					}
					newest[p.by] = p.n
					if first := r.visits[0]; first.resumed == "" &&
						p.acked.Before(first.dialled.Add(-tr.early)) {
						v.fault(r, "%s came, which was published %v before the client did",
							brief(m.data), first.dialled.Sub(p.acked))
					}
				}
			}
			if len(r.topics) > 1 {
				continue
			}
			if m.id == "0-0" {
				v.fault(r, "the id 0-0 came with %q %s", m.name, m.data)
			}
			if m.name != "gap" && strings.Contains(m.id, "-") {
				// a time is a place, and that of an event without an id
				if tr.ordered && last != "" && idLess(m.id, last) {
					v.fault(r, "%s came as %s behind %s", brief(m.data), m.id, last)
				}
				last = m.id
			}
		}
	}
	for k := range tr.acked[topic] {
		p := &tr.acked[topic][k]
		if _, ok := came[p.data]; ok || !p.sent.After(r.visits[0].head) {
			continue
		}
		tr.judgeMissing(r, p, came, gaps, v)
	}
}

// brief is an event's data without what only makes it long.
func brief(data string) string {
	words := strings.Fields(data)
	return strings.Join(words[:min(len(words), 3)], " ")
}

// readGap reads a gap event of a topic. Its range must be able to hold something that is missing.
func readGap(r *record, topic string, m incident, v *verdict) (told, bool) {
	var said struct {
		Topic, Cause string
		From, To     *string
	}
	if err := json.Unmarshal([]byte(m.data), &said); err != nil {
		v.fault(r, "a gap that is no JSON: %s", m.data)
		return told{}, false
	}
	if said.Topic != topic {
		return told{}, false
	}
	g := told{at: m.at, cause: said.Cause, to: eventPlace{math.MaxUint64, math.MaxUint64}}
	var errFrom, errTo error
	if said.From != nil {
		g.from, errFrom = placeOf(*said.From)
	}
	if said.To != nil {
		g.to, errTo = placeOf(*said.To)
	}
	if errFrom != nil || errTo != nil || !g.from.less(g.to) {
		v.fault(r, "a gap in whose range nothing can be missing: %s", m.data)
		return told{}, false
	}
	v.notes["gaps: "+said.Cause]++
	return g, true
}

// judgeMissing judges an event that did not come.
func (tr *trial) judgeMissing(r *record, p *receipt, came map[string]int, gaps []told, v *verdict) {
	kept := tr.kept[p.topic][p.data]
	at, _ := placeOf(p.id)
	dropped := ""
	for _, g := range gaps {
		if g.from.less(at) && !g.to.less(at) && g.at.After(p.sent) {
			// what was told before is about other events
			if !kept || tr.may[g.cause] {
				what := "missing and told: "
				if kept {
					what = "told, though the servers have it: "
				}
				v.notes[what+g.cause]++
				return
			}
			dropped = g.cause
		}
	}
	if dropped != "" {
		v.fault(r, "%s (%s) is told as missing (%s), and the servers have it", brief(p.data), p.id,
			dropped)
		return
	}
	if !kept && !tr.heard[tr.edgeBehind(r, p, came)][p.data] {
		v.notes["exempt: forgotten by the servers, and never heard of by the client's edge"]++
		return
	}
	what := "the servers have it"
	if !kept {
		what = fmt.Sprintf("edge %d has had it", tr.edgeBehind(r, p, came))
	}
	v.missing = append(v.missing, fmt.Sprintf("%s: %s (%s) neither came nor lies in a told gap; %s",
		r.name, brief(p.data), p.id, what))
}

// edgeBehind is the edge at which a client went on behind an event: the one that first sent it a
// later event, or else the one where the client is now.
func (tr *trial) edgeBehind(r *record, p *receipt, came map[string]int) int {
	first := len(r.visits) - 1
	for k := range tr.acked[p.topic] {
		q := &tr.acked[p.topic][k]
		if visit, ok := came[q.data]; ok && q.sent.After(p.acked) {
			first = min(first, visit)
		}
	}
	return r.visits[first].edge
}

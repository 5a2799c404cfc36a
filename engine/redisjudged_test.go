package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The judge finds what is wrong, and nothing else: each case is a client's stream, written by hand.
func TestTheJudge(t *testing.T) {
	began := time.Now()
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	// Event n is published at second n, as n0-0. The servers forget 3 and 4; edge 0 had 3, no edge
	// had 4.
	var all []receipt
	tried := map[string]bool{"t p 9": true}
	kept := map[string]bool{}
	for n := 1; n <= 6; n++ {
		data := fmt.Sprint("t p ", n)
		all = append(all, receipt{"t", data, fmt.Sprint(n, "0-0"), "p", n, at(n), at(n)})
		tried[data] = true
		kept[data] = n != 3 && n != 4
	}
	got := func(n int) incident {
		return incident{at: at(n), data: fmt.Sprint("t p ", n), id: fmt.Sprint(n, "0-0")}
	}
	gap := func(s int, from, to, cause string) incident {
		quote := func(s string) string {
			if s == "null" {
				return s
			}
			return `"` + s + `"`
		}
		return incident{at(s), "gap", fmt.Sprintf(`{"topic":"t","from":%s,"to":%s,"cause":%q}`,
			quote(from), quote(to), cause), to}
	}
	on := func(edge int, all ...incident) visit {
		return visit{edge: edge, dialled: began, head: began, got: all}
	}
	from := func(s int, v visit) visit {
		v.dialled, v.head = at(s), at(s)
		return v
	}
	same := func(v ...visit) []visit { return v }
	for name, c := range map[string]struct {
		visits  []visit
		faults  string // what they say; "": none
		missing int
		exempt  int
	}{
		"everything": {same(on(0, got(1), got(2), got(3), got(4), got(5), got(6))), "", 0,
			0},
		"a gap of both": {same(on(0, got(1), got(2), gap(5, "20-0", "40-0", "missed"),
			got(5), got(6))), "", 0, 0},
		"without an end": {same(on(0, got(1), got(2), gap(5, "20-0", "null", "missed"),
			got(5), got(6))), "", 0, 0},
		"no gap":            {same(on(0, got(1), got(2), got(5), got(6))), "", 1, 1},
		"no gap elsewhere":  {same(on(1, got(1), got(2), got(5), got(6))), "", 0, 2},
		"moved, and no gap": {same(on(1, got(1), got(2)), on(0, got(5), got(6))), "", 1, 1},
		"moved away":        {same(on(0, got(1), got(2)), on(1, got(5), got(6))), "", 0, 2},
		"what is there":     {same(on(1, got(1), got(2), got(6))), "", 1, 2},
		"told too soon": {same(on(0, got(1), gap(1, "10-0", "40-0", "missed"), got(2),
			got(5), got(6))), "", 1, 1},
		"twice": {same(on(0, got(1), got(2), got(3), got(4), got(5)),
			on(0, got(5), got(6))), "came twice", 0, 0},
		"reversed": {same(on(0, got(1), got(3), got(2), got(4), got(5), got(6))),
			"behind number 3", 0, 0},
		"an empty range": {same(on(0, got(1), got(2), gap(5, "40-0", "40-0", "missed"),
			got(3), got(4), got(5), got(6))), "nothing can be missing", 0, 0},
		"a time is before": {same(on(0, got(1), got(2), gap(5, "20-0", "20", "missed"), got(3),
			got(4), got(5), got(6))), "nothing can be missing", 0, 0},
		"dropped for a fork": {same(on(0, got(1), got(2), gap(6, "20-0", "50-0", "missed"),
			got(6))), "the servers have it", 0, 0},
		"read too slowly": {same(on(0, got(1), gap(6, "10-0", "50-0", "overrun"), got(6))), "",
			0, 0},
		"from before it came": {same(from(6, on(0, got(1), got(6)))), "before the client did", 0,
			0},
		"not yet there": {same(from(5, on(0, got(6)))), "", 0, 0},
		"never acknowledged": {same(from(5, on(0, incident{at(6), "", "t p 9", "90-0"}, got(6)))),
			"", 0, 0},
		"never published": {same(from(5, on(0, incident{at(6), "", "t p 8", "90-0"}, got(6)))),
			"was never published", 0, 0},
		"another id": {same(from(5, on(0, incident{at(6), "", "t p 6", "61-0"}))),
			"acknowledged as", 0, 0},
		"no id": {
			same(from(5, on(0, incident{at(6), "", "t raw 1", "0-0"}, got(6)))), "0-0", 0, 0},
		"never let in": {nil, "", 1, 0},
		"another topic's gap": {
			same(
				on(0, got(1), got(2),
					incident{at(5), "gap", `{"topic":"u","from":null,"to":null,"cause":"missed"}`,
						""}, got(5), got(6))), "", 1, 1},
		"nothing can be a gap": {same(from(6, on(0, incident{at(6), "gap", "x", ""}, got(6)))),
			"no JSON", 0, 0},
	} {
		tried["t raw 1"] = true
		tr := &trial{acked: map[string][]receipt{"t": all}, tried: tried,
			kept: map[string]map[string]bool{"t": kept}, may: map[string]bool{"overrun": true},
			early: oldest, heard: []map[string]bool{{"t p 3": true}, {}}}
		v := tr.judge(&record{name, []string{"t"}, c.visits})
		said := strings.Join(v.faults, "; ")
		if (c.faults == "") != (said == "") || !strings.Contains(said, c.faults) {
			t.Errorf("%s: faults %q, expected %q", name, v.faults, c.faults)
		}
		exempt := v.notes["exempt: forgotten by the servers, and never heard of by the client's edge"]
		if len(v.missing) != c.missing || exempt != c.exempt {
			t.Errorf("%s: missing %q and %d exempt, expected %d and %d", name, v.missing, exempt,
				c.missing, c.exempt)
		}
	}
	tr := &trial{acked: map[string][]receipt{"t": all}, tried: tried, early: oldest, ordered: true}
	if v := tr.judge(
		&record{"back", []string{"t"}, same(from(4, on(0, got(6), got(5))))}); !strings.Contains(
		strings.Join(v.faults, "; "), "came as 50-0 behind 60-0") {
		t.Errorf("ids that go back are not found: %q", v.faults)
	}
}

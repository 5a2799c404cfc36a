package load

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"ssedge/bench/mark"
)

// naive is what scan must come to, told slowly: whole lines, a map for each lane's numbers.
type naive struct {
	Totals
	received uint32
	lastID   string
}

func readNaively(body string) naive {
	var n naive
	seen, high := map[uint32]bool{}, uint32(0)
	var data, gap, marked, hasID bool
	var m mark.Mark
	var id string
	lines := strings.Split(body, "\n")
	for _, line := range lines[:len(lines)-1] { // what follows the last LF is no line yet
		line = strings.TrimSuffix(line, "\r")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			switch {
			case gap:
				n.Gaps++
			case marked && m.Topic != 0:
				n.Misdelivered++
			case marked:
				n.Events++
				switch {
				case seen[m.Seq]:
					n.Duplicates++
				case m.Seq < high:
					n.Late++
				}
				if !seen[m.Seq] {
					n.received++
				}
				seen[m.Seq], high = true, max(high, m.Seq)
			case data:
				n.Others++
			}
			if hasID {
				n.lastID = id
			}
			data, gap, marked, hasID = false, false, false, false
		case line[0] == ':':
			n.Comments++
		case name == "data":
			data = true
			if !marked {
				at := -1
				if m2, found := mark.Find([]byte(line[:min(len(line), lineKept)]), 0); found >= 0 {
					m, at = m2, found
				}
				marked = at >= 0
			}
		case name == "id":
			hasID, id = true, value
		case name == "event":
			gap = gap || value == "gap"
		case name == "retry":
		default:
			n.Damaged++
		}
	}
	return n
}

// randomBody is of lines that a stream may have, and some that it may not, with numbers within what
// is known exactly.
func randomBody(random *rand.Rand) string {
	var b strings.Builder
	ends := []string{"\n", "\r\n"}
	seq := 1
	for range 1 + random.IntN(40) {
		line := ""
		switch random.IntN(14) {
		case 0:
			line = ":" + strings.Repeat("c", random.IntN(300))
		case 1:
			line = "retry: 10"
		case 2:
			line = []string{"event: gap", "event:gap", "event: gaps", "event",
				"event: x"}[random.IntN(5)]
		case 3:
			line = []string{"nothing", "Data: x", "dta: x", "idea: 1", "eventual: gap", " data: x",
				"retry", "data"}[random.IntN(8)]
		case 4:
			line = "id: " + strings.Repeat("i", random.IntN(600))
		case 5:
			line = "data: " + strings.Repeat("y", random.IntN(600))
		case 6, 7, 8:
			line = []string{"id: 17-" + fmt.Sprint(seq), "id:" + fmt.Sprint(seq), "id",
				"id: "}[random.IntN(4)]
		default:
			topic := uint32(random.IntN(8) / 7)
			seq = max(1, seq+random.IntN(6)-2)
			line = "data: " + strings.Repeat("{", random.IntN(200)) +
				string(mark.Append(nil, mark.Mark{Topic: topic, Seq: uint32(seq), Due: mark.Now()},
					16+random.IntN(400)))
		}
		b.WriteString(line + ends[random.IntN(2)])
		if random.IntN(3) > 0 {
			b.WriteString(ends[random.IntN(2)])
		}
	}
	return b.String()
}

// inChunks frames a body, in chunks of at most so many bytes.
func inChunks(random *rand.Rand, body string, most int) []byte {
	var b bytes.Buffer
	for body != "" {
		n := min(len(body), 1+random.IntN(most))
		fmt.Fprintf(&b, []string{"%x\r\n", "%X;name=value\r\n", "%04x\r\n", "%x\n"}[random.IntN(4)],
			n)
		b.WriteString(body[:n] + "\r\n")
		body = body[n:]
	}
	return b.Bytes()
}

// TestScanAgainstANaiveReader: random bodies, plain or in chunks, arriving in random parts.
func TestScanAgainstANaiveReader(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 2000 {
		body := randomBody(random)
		want := readNaively(body)
		l := still(t, 1)
		sent, most := []byte(body), 1+random.IntN(2000)
		if round%2 == 1 {
			l.streams[0].body = chunkSize
			sent = inChunks(random, body, 1+random.IntN(300))
		}
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(most))
			if err := l.body(0, bytes.Clone(rest[:n])); err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
			clear(rest[:n]) // nothing of it may be kept
			rest = rest[n:]
		}
		s := &l.streams[0]
		l.tally.Unsorted = 0 // see TestPositions
		if found := (naive{l.tally, s.received, l.ids.text(s.heldID)}); found != want {
			t.Fatalf("seed %d, round %d: expected %+v, found %+v in %q", seed, round, want, found,
				body)
		}
	}
}

// TestSequenceAtItsEdges: two numbers, as far apart as one likes, and any third below.
func TestSequenceAtItsEdges(t *testing.T) {
	t.Parallel()
	for apart := uint32(1); apart < 70; apart++ {
		for back := uint32(0); back < 70; back++ {
			q := sequence{}
			q.take(100)
			q.take(100 + apart)
			want := late
			if back == 0 || back == apart || back >= 64 {
				want = duplicate
			}
			if got := q.take(100 + apart - back); got != want {
				t.Fatalf("%d below the second of two that are %d apart: expected %v, found %v",
					back, apart, want, got)
			}
		}
	}
}

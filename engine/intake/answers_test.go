package intake

import (
	"bytes"
	"testing"

	"ssedge/shard"
)

// TestEarlyEnds: each reason has its answer, or cannot end a stream that was sent nothing.
func TestEarlyEnds(t *testing.T) {
	none := map[shard.CloseReason]bool{
		shard.ClosedClientGone: true, shard.ClosedError: true, // nothing can be sent
		shard.ClosedSlowConsumer: true,                             // it has no place in a log
		shard.ClosedWriteStalled: true, shard.ClosedOverload: true, // its socket is empty
		shard.ClosedAnswered: true,
	}
	words := map[shard.CloseReason]string{
		shard.ClosedMaxLifetime: "--lifetime",
		shard.ClosedDrain:       "this server is going away",
		shard.ClosedShutdown:    "this server is going away",
	}
	a := newAnswers([]string{"https://a.example"})
	ends := a.early(&Request{Origin: []byte("https://a.example")})
	for _, r := range shard.CloseReasons() {
		if none[r] == (words[r] != "") {
			t.Errorf("%v: expected an answer in earlyEnds, or why there is none in this test", r)
		}
		if (len(ends[r]) > 0) == none[r] || !bytes.Contains(ends[r], []byte(words[r])) {
			t.Errorf("%v: found %q", r, ends[r])
		}
		if !none[r] &&
			!bytes.Contains(ends[r], []byte("Access-Control-Allow-Origin: https://a.example\r\n")) {
			t.Errorf("%v: a page cannot read %q", r, ends[r])
		}
	}
	if a.early(&Request{}) == ends {
		t.Error("the answers of another origin")
	}
}

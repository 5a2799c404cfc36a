package load

import (
	"net"
	"strings"
	"testing"
	"time"
)

// TestSlowReaders: streams that never read leave the server's bytes where they are, those that
// dribble take a few at a time, and all have everything once they are let.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	const number = 10_000 // of a kilobyte: more than a socket takes
	var body strings.Builder
	for seq := 1; seq <= number; seq++ {
		body.WriteString(numbered(0, seq) + ":" + strings.Repeat("x", 1000) + "\n")
	}
	for name, slow := range map[string]Slow{
		"never":    {Share: 0.5},
		"dribbles": {Share: 0.5, Bytes: 100, Pause: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan int, 2)
			script := func(c net.Conn) {
				n, _ := c.Write([]byte(streamHead + body.String()))
				sent <- n
			}
			server := serve(t, script)
			crowd := crowd(t, Config{Subscribe: server.url, Slow: slow})
			opens(t, crowd, 2, 0)
			awaits(t, crowd, "all events of the one that reads", func(t Totals) bool {
				return t.Events >= number
			})
			v := verdict(t, crowd, Published{Sure: number})
			if v.Normal.Exact != 1 || v.Slow.Streams != 1 || v.Slow.Short != 1 || v.Behind != 1 {
				t.Errorf("%+v", v)
			}
			<-sent // the one that reads
			select {
			case n := <-sent:
				t.Errorf("the slow one let the server send %d bytes", n)
			default:
			}
			if slow.Bytes > 0 {
				before, _ := crowd.Totals()
				awaits(t, crowd, "some more", func(t Totals) bool {
					return t.Bytes > before.Bytes+500
				})
			}
			if err := crowd.ReadNormally(); err != nil {
				t.Fatal(err)
			}
			awaits(t, crowd, "everything", func(t Totals) bool { return t.Events == 2*number })
			if v = verdict(t, crowd, Published{Sure: number}); v.Slow.Exact != 1 || v.Behind != 0 {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestDribblingByMoreThanTheBuffer is as much as the buffer holds.
func TestDribblingByMoreThanTheBuffer(t *testing.T) {
	t.Parallel()
	server := serve(t, says(streamHead, events(1), strings.Repeat(":\n", 100_000), events(2)))
	crowd := crowd(t,
		Config{Subscribe: server.url,
			Slow: Slow{Share: 1, Bytes: 2 * receiveBytes, Pause: time.Millisecond}})
	opens(t, crowd, 1, 0)
	awaits(t, crowd, "everything", func(t Totals) bool {
		return t.Events == 2 && t.Comments == 100_000
	})
	if v := verdict(t, crowd, Published{Sure: 2}); !v.Slow.Whole() || v.Slow.Streams != 1 {
		t.Errorf("%+v", v)
	}
}

// TestSlowReadersAreInEveryTopic, as many as were asked for.
func TestSlowReadersAreInEveryTopic(t *testing.T) {
	for _, c := range []struct {
		topics, streams int
		share           float64
	}{{1, 1000, 0.1}, {10, 1000, 0.1}, {10, 1000, 0.4}, {1000, 1000, 0.1}, {7, 1000, 0.3},
		{300, 1000, 0.5}} {
		p := &plan{Config: Config{Topics: c.topics, Slow: Slow{Share: c.share}}}
		of := make(map[int]int) // slow streams of each topic
		slow := 0
		for n := range c.streams {
			if p.slow(int32(n)) {
				of[n%c.topics]++
				slow++
			}
		}
		want := c.share * float64(c.streams)
		if off := float64(slow) - want; off < -want/20 || off > want/20 {
			t.Errorf("%+v: %d are slow", c, slow)
		}
		for topic := range c.topics {
			each := c.share * float64(c.streams) / float64(c.topics)
			if n := float64(of[topic]); n < each-1 || n > each+1 {
				t.Errorf("%+v: %v are slow of topic %d", c, n, topic)
			}
		}
	}
}

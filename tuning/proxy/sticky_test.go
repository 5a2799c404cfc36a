package proxy

import (
	"net/http/cookiejar"
	"testing"
)

// sticky are the forms for operators who want clients to come back to the same edge: what
// the comments of the files say.
var sticky = []struct {
	name  string
	kind  kind
	edits []edit
}{
	{"address", kinds[0], []edit{{"    least_conn;\n", "    ip_hash;\n"}}},
	{"cookie", kinds[0], []edit{{"    least_conn;\n", "    hash $cookie_edge consistent;\n"}}},
	{"address", kinds[1],
		[]edit{{"    balance leastconn\n    retry-on", "    balance source\n    retry-on"}}},
	{"cookie", kinds[1], []edit{
		{"    balance leastconn\n    retry-on",
			"    balance leastconn\n    cookie EDGE insert indirect nocache\n    retry-on"},
		{"edge1 10.0.0.11:8080 port 8081", "edge1 10.0.0.11:8080 port 8081 cookie edge1"},
		{"edge2 10.0.0.12:8080 port 8081", "edge2 10.0.0.12:8080 port 8081 cookie edge2"},
	}},
	{"address", kinds[2], []edit{{"lb_policy least_conn", "lb_policy ip_hash"}}},
	{"cookie", kinds[2], []edit{{"lb_policy least_conn", "lb_policy cookie"}}},
}

// TestSticky: in each form all streams of a client are at one edge; as configured here
// they are not.
func TestSticky(t *testing.T) {
	t.Parallel()
	for _, s := range sticky {
		t.Run(s.kind.name+"/"+s.name, func(t *testing.T) {
			for _, edits := range [][]edit{s.edits, nil} {
				a, b := twoEdges(t)
				c := newClient(t, s.kind.start(t, []*edge{a, b}, edits...), "")
				c.http.Jar, _ = cookiejar.New(nil)
				const streams = 6
				for range streams {
					c.follow("Cookie: edge=of-a-client")
				}
				await(t, "all streams", func() bool {
					return a.engine.Streams()+b.engine.Streams() == streams
				})
				if spread := a.engine.Streams()%streams != 0; spread == (edits != nil) {
					t.Errorf("%d and %d streams, with %v", a.engine.Streams(), b.engine.Streams(),
						edits)
				}
			}
		})
	}
}

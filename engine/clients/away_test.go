package clients

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Where a proxy cannot end a connection without an answer, it answers with a stream that has ended
// (tuning/proxy/apache-away.asis). The EventSource of each browser comes back after it, from a page
// of another origin, too, where Firefox gives up when a connection is refused or cut.
func TestAStreamThatHasEndedIsNoRefusal(t *testing.T) {
	if raced {
		t.Skip("not run with -race, which does not watch browsers: go test ./engine/clients runs it")
	}
	text, err := os.ReadFile("../../tuning/proxy/apache-away.asis")
	if err != nil {
		t.Fatal(err)
	}
	away, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(text))).ReadMIMEHeader()
	if err != nil || away.Get("Status") != "200 OK" {
		t.Fatalf("apache-away.asis: %v, %v", away, err)
	}
	away.Del("Status")
	for _, browser := range []string{"chromium", "firefox"} {
		t.Run(browser, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			proxy :=
				&http.Server{Handler: http.HandlerFunc(
					func(w http.ResponseWriter, r *http.Request) {
						for name, values := range away {
							w.Header()[name] = values
						}
						switch asked.Add(1) {
						case 1:
							// what it has from the edge before that goes away: how soon to come
							// back
							io.WriteString(w, "retry: 50\ndata: before\n\n")
						case 2, 3:
						default:
							io.WriteString(w, "data: after\n\n")
						}
					})}
			ln, err := net.Listen("tcp", serverHost+":0")
			if err != nil {
				t.Fatal(err)
			}
			go proxy.Serve(ln)
			t.Cleanup(func() { proxy.Close() })
			s := inBrowser(browser, "native", false)(t, nil,
				order{URL: "http://" + ln.Addr().String() + "/events?topic=t",
					Names: []string{"message"}})
			for deadline := time.Now().Add(2 * patience); ; time.Sleep(5 * time.Millisecond) {
				if slices.ContainsFunc(s.heard(), func(h heard) bool {
					return strings.HasPrefix(h.Data, "after")
				}) {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("it does not come back: asked %d times, handed out %+v", asked.Load(),
						s.heard())
				}
			}
		})
	}
}

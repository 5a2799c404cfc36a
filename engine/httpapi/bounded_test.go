package httpapi

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"ssedge/engine/deadline"
)

// Connections that send nothing or half a request, or do not read their answers, keep no new one
// out; and one whose request is being answered stays while there are others.
func TestABoundedListenerTakesEveryConnection(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const most = 4
	b := NewBounded(ln, most, newClock(t))
	slow := make(chan struct{})
	entered := make(chan struct{})
	server := &http.Server{ConnContext: b.ConnContext,
		Handler: b.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/slow":
				close(entered)
				<-slow
			case "/endless":
				for {
					if _, err := w.Write(make([]byte, 1<<16)); err != nil {
						return
					}
				}
			}
			io.WriteString(w, "done")
		}))}
	go server.Serve(b)
	defer server.Close()
	dial := func(text string) net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, text)
		return c
	}
	get := func() {
		t.Helper()
		client := &http.Client{Timeout: time.Minute,
			Transport: &http.Transport{DisableKeepAlives: true}}
		got, err := client.Get("http://" + ln.Addr().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if n := b.Count(); n > most {
			t.Errorf("%d connections, expected at most %d", n, most)
		}
	}
	long := dial("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	<-entered
	for _, request := range []string{"", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /"} {
		for range 5 * most {
			dial(request)
			get()
		}
	}
	close(slow)
	if text, err := io.ReadAll(long); err != nil || len(text) == 0 {
		t.Errorf("the one that was answered has %q, %v", text, err)
	}
	for range 5 * most {
		dial("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
		get()
	}
}

// net/http ends what it sends before it closes a connection on which more may come, if the
// connection can do that: otherwise the client may lose the answer.
func TestABoundedConnectionEndsOneWay(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := NewBounded(ln, 4, newClock(t))
	defer b.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if half, ok := conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		t.Fatal("it cannot end one way")
	}
	if text, err := io.ReadAll(client); err != nil || len(text) > 0 {
		t.Errorf("the client has %q, %v, expected the end", text, err)
	}
	io.WriteString(client, "more")
	if n, err := conn.Read(make([]byte, 10)); n != 4 || err != nil {
		t.Errorf("the server has %d bytes, %v", n, err)
	}
}

func newClock(t *testing.T) *deadline.Clock {
	c := deadline.NewClock()
	t.Cleanup(c.Close)
	return c
}

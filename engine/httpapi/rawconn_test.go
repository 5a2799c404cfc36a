package httpapi_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// rawConn is a connection on which a test says what it likes.
type rawConn struct {
	n *node
	net.Conn
	r *bufio.Reader
}

func (n *node) dialRaw(text string) *rawConn {
	n.t.Helper()
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		n.t.Fatal(err)
	}
	return &rawConn{n, c, bufio.NewReader(c)}
}

func (c *rawConn) closeWrite() { c.Conn.(*net.TCPConn).CloseWrite() }

func (c *rawConn) answer() (*http.Response, string) {
	c.n.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.n.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.n.t.Fatalf("%s, after %d bytes: %v", resp.Status, len(body), err)
	}
	return resp, string(body)
}

// head is the answer to a HEAD.
func (c *rawConn) head() (*http.Response, error) {
	return http.ReadResponse(c.r, &http.Request{Method: http.MethodHead})
}

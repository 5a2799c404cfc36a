package engine_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// resp is a connection to a Redis server on which any bytes can be said: arguments of redis-cli
// cannot have NUL.
type resp struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func (r *redisServer) dial(t testing.TB) *resp {
	t.Helper()
	conn, err := net.Dial("tcp", r.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &resp{t, conn, bufio.NewReader(conn)}
}

// do returns the answer: of a list each element in a line, of an error the text behind a minus.
func (c *resp) do(arguments ...string) string {
	c.t.Helper()
	c.conn.SetDeadline(time.Now().Add(patience))
	command := fmt.Sprintf("*%d\r\n", len(arguments))
	for _, a := range arguments {
		command += fmt.Sprintf("$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c.conn, command); err != nil {
		c.t.Fatal(err)
	}
	return c.answer()
}

func (c *resp) answer() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	text := strings.TrimSuffix(line[1:], "\r\n")
	n, _ := strconv.Atoi(text)
	switch line[0] {
	case '-':
		return "-" + text
	case '$':
		b := make([]byte, max(n+2, 0))
		if _, err := io.ReadFull(c.r, b); err != nil {
			c.t.Fatal(err)
		}
		return string(b[:max(n, 0)])
	case '*':
		var all []string
		for range max(n, 0) {
			all = append(all, c.answer())
		}
		return strings.Join(all, "\n")
	}
	return text
}

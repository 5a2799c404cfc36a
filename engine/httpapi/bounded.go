package httpapi

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"

	"ssedge/engine/deadline"
)

// AdminConnectionsMax is how many connections the admin listener has at most.
const AdminConnectionsMax = 32

// Bounded is a listener that has a bounded number of connections and still takes every new one:
// when there are too many, the oldest goes of those whose request is not being answered or, if all
// are, the oldest of all. So connections on which nothing comes, or half a request, keep no probe
// out, and take no descriptor that others need.
//
// It needs ConnContext and Handler in the server. It is safe from any goroutine.
type Bounded struct {
	net.Listener
	most  int
	clock *deadline.Clock

	mu  sync.Mutex
	all []*boundedConn // the oldest first
}

// NewBounded bounds a listener, whose connections have deadlines by the clock.
func NewBounded(l net.Listener, most int, by *deadline.Clock) *Bounded {
	return &Bounded{Listener: l, most: most, clock: by}
}

// boundedConn is one connection of it.
type boundedConn struct {
	*deadline.Conn
	of       *Bounded
	answered bool // a request of it is being answered; of.mu
}

// Accept returns the next connection.
func (b *Bounded) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &boundedConn{Conn: deadline.NewConn(conn, b.clock), of: b}
	b.mu.Lock()
	var gone *boundedConn
	if len(b.all) >= b.most {
		at := max(slices.IndexFunc(b.all, func(c *boundedConn) bool { return !c.answered }), 0)
		gone = b.all[at]
		b.all = slices.Delete(b.all, at, at+1)
	}
	b.all = append(b.all, c)
	b.mu.Unlock()
	if gone != nil {
		gone.Conn.Close()
	}
	return c, nil
}

// Count is how many there are. A nil listener has none.
func (b *Bounded) Count() int {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all)
}

// Close closes the connection and gives up its place.
func (c *boundedConn) Close() error {
	c.of.mu.Lock()
	if at := slices.Index(c.of.all, c); at >= 0 {
		c.of.all = slices.Delete(c.of.all, at, at+1)
	}
	c.of.mu.Unlock()
	return c.Conn.Close()
}

type boundedKey struct{}

// ConnContext is for http.Server.ConnContext.
func (b *Bounded) ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, boundedKey{}, c)
}

// Handler notes which connections have a request that is being answered.
func (b *Bounded) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(boundedKey{}).(*boundedConn); ok {
			defer b.note(c, false)
			b.note(c, true)
		}
		h.ServeHTTP(w, r)
	})
}

func (b *Bounded) note(c *boundedConn, answered bool) {
	b.mu.Lock()
	c.answered = answered
	b.mu.Unlock()
}

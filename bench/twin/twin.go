// Package twin is the simplest event-stream server in Go: net/http, one goroutine and one channel
// per stream, a flush per event, a ticker per stream for its heartbeats. It answers the same URLs
// as ssedge, so the same load can drive both, and shows what the simple form costs.
package twin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Config is what there is to choose.
type Config struct {
	Heartbeat time.Duration // how often each stream is sent a comment; 0: never
}

// Handler is a server with no streams yet. Streams end with their requests.
func Handler(c Config) http.Handler { return newHub(c.Heartbeat) }

// Serve serves the connections of l until ctx ends, then closes all of them and l, and returns nil.
func Serve(ctx context.Context, l net.Listener, c Config) error {
	server := &http.Server{Handler: Handler(c)}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

package twin

import (
	"context"
	"net"
	"net/http"
	"time"
)

func Serve(ctx context.Context, l net.Listener, heartbeat time.Duration) error {
	s := &http.Server{Handler: newHub()}
	context.AfterFunc(ctx, func() { s.Close() })
	s.Serve(l)
	return nil
}

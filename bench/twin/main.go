// Command twin is the event-stream server everybody would write first: net/http, one goroutine and one channel per
// stream, a flush per event. It answers the same URLs as ssedge, so the same load can drive both, and shows what
// the simple form costs.
//
//	go run ./bench/twin -listen 127.0.0.1:8080 -life 1m
package main

import (
	"errors"
	"flag"
	"log"
	"net/http"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	life := flag.Duration("life", time.Minute, "life of the process; it exits by itself")
	flag.Parse()

	server := &http.Server{Addr: *listen, Handler: newHub()}
	time.AfterFunc(*life, func() { server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal("twin: ", err)
	}
}

// Package auth decides who may subscribe to what and publish where.
//
// [Authorizer] is the interface that admission and publishing ask. What is behind
// it now are static keys and public topics ([Static]); tokens will fill it later.
// An authorizer must answer from memory: whatever has to be fetched is fetched
// beside the request, not in it.
package auth

import { EventSource, Agent } from 'undici'
import { listen, bearer } from './standard.mjs'

// Headers are a dispatcher's matter.
export default ({ url, key, names }, say) => {
  const withKey = new Agent().compose(dispatch => (options, handler) =>
    dispatch({ ...options, headers: { ...options.headers, ...bearer(key) } }, handler))
  listen(new EventSource(url, key ? { node: { dispatcher: withKey } } : {}), names, say)
}

import { EventSource } from 'launchdarkly-eventsource'
import { listen, bearer } from './standard.mjs'

export default ({ url, key, names }, say) => {
  const source = new EventSource(url, { headers: bearer(key), initialRetryDelayMillis: 200 })
  listen(source, names, say)
  source.addEventListener('closed', () => say('ended', { why: 'closed' }))
}

import { SSE } from 'sse.js'
import { bearer } from './standard.mjs'

export default ({ url, key, names }, say) => {
  const source = new SSE(url, { headers: bearer(key), autoReconnect: true })
  for (const name of names) {
    source.addEventListener(name, e => say('message', { type: e.type, data: e.data, id: e.lastEventId }))
  }
  source.addEventListener('open', () => say('open'))
  source.addEventListener('error', () => say('error'))
}

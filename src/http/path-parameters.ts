/** The `:name` segments of a route's pattern and their values in a path. Pure. */
import { OperatingError } from '../core/errors.ts'

export function parameterNames(pattern: string): string[] {
  return pattern.split('/').flatMap((segment) => (segment.startsWith(':') ? [segment.slice(1)] : []))
}

/** @throws OperatingError bad_request when a segment is not percent-encoded UTF-8 */
export function parametersOf(valueAt: (index: number) => string, names: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {}
  names.forEach((name, index) => {
    try {
      params[name] = decodeURIComponent(valueAt(index))
    } catch {
      throw new OperatingError('bad_request', `the path's ${name} is not percent-encoded UTF-8`)
    }
  })
  return params
}

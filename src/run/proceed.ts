/**
 * Goes on with a value: at once when it is there, else when its promise is kept. A promise for every step
 * would cost a task that does little more than everything else together.
 */
export function proceed<T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

export class Trail {
  readonly #stops: readonly string[];

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  after(legs: number): string {
    return this.#stops[legs % this.#stops.length] ?? 'home';
  }
}

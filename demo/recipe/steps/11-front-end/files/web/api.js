// Calls to the service. Every call belongs to one shop.

export class Api {
  constructor(shop, fetcher = fetch) {
    this.root = `/shops/${encodeURIComponent(shop)}/orders/`;
    this.fetcher = fetcher;
  }

  async search(customer = "") {
    const answer = await this.fetcher(`${this.root}?${new URLSearchParams({ customer })}`);
    if (!answer.ok) throw new Error(`search failed: ${answer.status}`);
    return (await answer.json()).orders;
  }
}

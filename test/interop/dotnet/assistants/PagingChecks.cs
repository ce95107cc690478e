using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>Lists, page by page.</summary>
public static class PagingChecks
{
    public static void AddTo(Checks checks, App app)
    {
        checks.Add("paging: 7 assistants in pages of 3, each once, in both orders", () => AssistantsAsync(app));
        checks.Add("paging: after and before an assistant", () => CursorsAsync(app));
        checks.Add("paging: 25 messages, without a size of pages", () => MessagesAsync(app));
        checks.Add("paging: raw pages, and a token for what is after the first", () => RawPagesAsync(app));
        checks.Add("paging: runs and steps, one on a page", () => RunsAsync(app));
    }

    private static async Task<List<string>> CreateAssistantsAsync(AssistantClient client, int count)
    {
        var ids = new List<string>();
        for (var number = 0; number < count; number++) ids.Add((await client.CreateAssistantAsync("gpt-4o")).Value.Id);
        return ids;
    }

    private static async Task AssistantsAsync(App app)
    {
        var client = app.NewClient();
        var ids = await CreateAssistantsAsync(client, 7);
        var options = new AssistantCollectionOptions { PageSizeLimit = 3, Order = AssistantCollectionOrder.Ascending };
        Checks.Same(ids, await client.GetAssistantsAsync(options).Select(each => each.Id).ToListAsync(), "ascending");
        Checks.Equal(3, await client.GetAssistantsAsync(options).GetRawPagesAsync().CountAsync(), "pages");
        options.Order = AssistantCollectionOrder.Descending;
        var descending = await client.GetAssistantsAsync(options).Select(each => each.Id).ToListAsync();
        Checks.Same(Enumerable.Reverse(ids), descending, "descending");
    }

    private static async Task CursorsAsync(App app)
    {
        var client = app.NewClient();
        var ids = await CreateAssistantsAsync(client, 5);
        var after = InPairs();
        after.AfterId = ids[1];
        Checks.Same(ids[2..], await client.GetAssistantsAsync(after).Select(each => each.Id).ToListAsync(), "after");
        var before = InPairs();
        before.BeforeId = ids[2];
        var page = await client.GetAssistantsAsync(before).Take(2).Select(each => each.Id).ToListAsync();
        Checks.Same(ids[..2], page, "before");
    }

    private static AssistantCollectionOptions InPairs() =>
        new() { Order = AssistantCollectionOrder.Ascending, PageSizeLimit = 2 };

    private static async Task MessagesAsync(App app)
    {
        var client = app.NewClient();
        var creation = new ThreadCreationOptions();
        for (var number = 0; number < 25; number++) creation.InitialMessages.Add(new(MessageRole.User, [$"{number}"]));
        AssistantThread thread = await client.CreateThreadAsync(creation);
        var texts = await client.GetMessagesAsync(thread.Id).Select(each => each.Content.Single().Text).ToListAsync();
        Checks.Same(Enumerable.Range(0, 25).Reverse().Select(number => $"{number}"), texts, "messages");
    }

    private static async Task RawPagesAsync(App app)
    {
        var client = app.NewClient();
        var ids = await CreateAssistantsAsync(client, 5);
        var list = client.GetAssistantsAsync(2, "asc", null, null, new RequestOptions());
        var pages = await list.GetRawPagesAsync().ToListAsync();
        Checks.Equal(3, pages.Count, "pages");
        var next = list.GetContinuationToken(pages[0])?.ToBytes().ToString() ?? "";
        Checks.That(next.Contains(ids[1]), $"the token after the first page is {next}");
        foreach (var (page, number) in pages.Select((page, number) => (page, number)))
        {
            var body = page.GetRawResponse().Content.ToString();
            Checks.Equal(ids.Skip(number * 2).Take(2).Count(), ids.Count(body.Contains), "assistants on a page");
        }
    }

    private static async Task RunsAsync(App app)
    {
        var answers = new object[] { new { text = "One." }, Conversation.CallWeather("Oslo"), new { text = "Two." } };
        var talk = await Conversation.StartAsync(app, answers);
        var (client, thread) = (talk.Client, talk.Thread.Id);
        var first = await talk.SettledAsync(await talk.RunAsync());
        var second = await talk.SettledAsync(await talk.RunAsync());
        await client.SubmitToolOutputsToRunAsync(thread, second.Id, Conversation.OutputsFor(second));
        await talk.SettledAsync(await client.GetRunAsync(thread, second.Id));
        var runs = new RunCollectionOptions { PageSizeLimit = 1, Order = RunCollectionOrder.Ascending };
        var ids = await client.GetRunsAsync(thread, runs).Select(each => each.Id).ToListAsync();
        Checks.Same([first.Id, second.Id], ids, "runs");
        var steps = new RunStepCollectionOptions { PageSizeLimit = 1, Order = RunStepCollectionOrder.Ascending };
        var kinds = await client.GetRunStepsAsync(thread, second.Id, steps).Select(each => each.Kind).ToListAsync();
        Checks.Same([RunStepKind.ToolCall, RunStepKind.CreatedMessage], kinds, "steps");
    }
}

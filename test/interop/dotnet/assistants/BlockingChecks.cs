using System.ClientModel;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>The calls that block their thread: these libraries send and page in another way for them.</summary>
public static class BlockingChecks
{
    public static void AddTo(Checks checks, App app)
    {
        checks.Add("blocking: an assistant, a thread and a run with a function call", () => RunAsync(app));
        checks.Add("blocking: lists in pages", () => ListAsync(app));
        checks.Add("blocking: a refusal throws with its status", () => RefusedAsync(app));
    }

    private static async Task RunAsync(App app)
    {
        var (client, model) = (app.NewClient(), app.NewModel());
        await model.SayAsync(Conversation.CallWeather("Oslo"), new { text = "Sunny." });
        var tools = new AssistantCreationOptions { Tools = { Conversation.Weather } };
        Assistant assistant = client.CreateAssistant(model.Name, tools);
        AssistantThread thread = client.CreateThread();
        client.CreateMessage(thread.Id, MessageRole.User, ["And Oslo?"]);
        var run = Settled(client, client.CreateRun(thread.Id, assistant.Id));
        Checks.Equal(RunStatus.RequiresAction, run.Status, "status before the outputs");
        run = Settled(client, client.SubmitToolOutputsToRun(thread.Id, run.Id, Conversation.OutputsFor(run)));
        Checks.Equal(RunStatus.Completed, run.Status, "status");
        var texts = client.GetMessages(thread.Id).Select(message => message.Content.Single().Text);
        Checks.Same(["Sunny.", "And Oslo?"], texts, "texts");
        Checks.Equal(2, client.GetRunSteps(thread.Id, run.Id).Count(), "steps");
        Checks.That(client.DeleteThread(thread.Id).Value.Deleted, "the thread is not deleted");
    }

    private static ThreadRun Settled(AssistantClient client, ThreadRun run)
    {
        while (!run.Status.IsTerminal && run.Status != RunStatus.RequiresAction)
        {
            Thread.Sleep(30);
            run = client.GetRun(run.ThreadId, run.Id);
        }
        return run;
    }

    private static Task ListAsync(App app)
    {
        var client = app.NewClient();
        var ids = Enumerable.Range(0, 5).Select(_ => client.CreateAssistant("gpt-4o").Value.Id).ToList();
        var pairs = new AssistantCollectionOptions { PageSizeLimit = 2, Order = AssistantCollectionOrder.Ascending };
        var list = client.GetAssistants(pairs);
        Checks.Same(ids, list.Select(assistant => assistant.Id), "assistants");
        Checks.Equal(3, list.GetRawPages().Count(), "pages");
        return Task.CompletedTask;
    }

    private static async Task RefusedAsync(App app)
    {
        var client = app.NewClient();
        var error = await Checks.ThrowsAsync<ClientResultException>(() =>
        {
            client.GetThread("thread_abcdefghijklmnopqrstuvwx");
            return Task.CompletedTask;
        });
        Checks.Equal(404, error.Status, "status");
    }
}

using System.ClientModel;
using OpenAI.Assistants;
using OpenAI.Files;

namespace Threadkeep.Interop;

/// <summary>Threads: created, read, changed, deleted.</summary>
public static class ThreadChecks
{
    public static void AddTo(Checks checks, App app)
    {
        checks.Add("threads: an empty one, of a request without a body", () => EmptyAsync(app));
        checks.Add("threads: created with messages of both roles, metadata and resources", () => FullAsync(app));
        checks.Add("threads: a change of metadata stays", () => ModifyAsync(app));
        checks.Add("threads: a deleted one is gone, with its messages and runs", () => DeleteAsync(app));
        checks.Add("threads: one tenant does not see another's", () => TenantsAsync(app));
    }

    private static async Task EmptyAsync(App app)
    {
        var client = app.NewClient();
        AssistantThread thread = await client.CreateThreadAsync();
        AssistantThread read = await client.GetThreadAsync(thread.Id);
        Checks.Equal(thread.Id, read.Id, "id");
        Checks.Equal(0, read.Metadata.Count, "metadata");
        Checks.Equal(0, await client.GetMessagesAsync(thread.Id).CountAsync(), "messages");
    }

    private static async Task FullAsync(App app)
    {
        var key = app.NewKey();
        var client = Clients.Connect(app.At.Main, key);
        var (files, _) = Clients.ConnectFiles(app.At.Main, key);
        OpenAIFile file = await files.UploadFileAsync(
            BinaryData.FromString("n\n1\n"),
            "table.csv",
            FileUploadPurpose.Assistants
        );
        AssistantThread thread = await client.CreateThreadAsync(
            new ThreadCreationOptions
            {
                InitialMessages =
                {
                    new(MessageRole.User, ["Hello", "again"]) { Metadata = { ["n"] = "1" } },
                    new(MessageRole.Assistant, ["Hi."]),
                },
                Metadata = { ["subject"] = "greeting" },
                ToolResources = new() { CodeInterpreter = new() { FileIds = { file.Id } } },
            }
        );
        Checks.Same(["subject=greeting"], thread.Metadata.Select(AssistantChecks.Pair), "metadata");
        Checks.Same([file.Id], thread.ToolResources.CodeInterpreter.FileIds, "files");
        var options = new MessageCollectionOptions { Order = MessageCollectionOrder.Ascending };
        var messages = await client.GetMessagesAsync(thread.Id, options).ToListAsync();
        Checks.Same([MessageRole.User, MessageRole.Assistant], messages.Select(message => message.Role), "roles");
        Checks.Same(["Hello", "again"], messages[0].Content.Select(part => part.Text), "parts");
        Checks.Same(["n=1"], messages[0].Metadata.Select(AssistantChecks.Pair), "metadata of a message");
    }

    private static async Task ModifyAsync(App app)
    {
        var client = app.NewClient();
        var creation = new ThreadCreationOptions { Metadata = { ["a"] = "1" } };
        AssistantThread thread = await client.CreateThreadAsync(creation);
        var change = new ThreadModificationOptions { Metadata = { ["b"] = "2" } };
        AssistantThread changed = await client.ModifyThreadAsync(thread.Id, change);
        AssistantThread read = await client.GetThreadAsync(thread.Id);
        foreach (var each in new[] { changed, read })
            Checks.Same(["b=2"], each.Metadata.Select(AssistantChecks.Pair), "metadata");
        Checks.Equal(thread.CreatedAt, read.CreatedAt, "time of creation");
    }

    private static async Task DeleteAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Because." });
        var run = await talk.SettledAsync(await talk.RunAsync());
        ThreadDeletionResult deleted = await talk.Client.DeleteThreadAsync(talk.Thread.Id);
        Checks.Equal((talk.Thread.Id, true), (deleted.ThreadId, deleted.Deleted), "deletion");
        Func<Task>[] calls =
        [
            () => talk.Client.GetThreadAsync(talk.Thread.Id),
            () => talk.Client.GetRunAsync(talk.Thread.Id, run.Id),
            () => talk.Client.GetMessagesAsync(talk.Thread.Id).CountAsync().AsTask(),
            () => talk.RunAsync(),
        ];
        foreach (var call in calls)
        {
            var error = await Checks.ThrowsAsync<ClientResultException>(call);
            Checks.Equal(404, error.Status, "status");
        }
    }

    private static async Task TenantsAsync(App app)
    {
        AssistantThread thread = await app.NewClient().CreateThreadAsync();
        var other = app.NewClient();
        var error = await Checks.ThrowsAsync<ClientResultException>(() => other.GetThreadAsync(thread.Id));
        Checks.Equal(404, error.Status, "status");
    }
}

using System.ClientModel;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>Messages: texts, images, attachments.</summary>
public static class MessageChecks
{
    private static readonly Uri Picture = new("https://example.com/picture.png");

    public static void AddTo(Checks checks, App app)
    {
        checks.Add("messages: texts and images in one message, in their order", () => PartsAsync(app));
        checks.Add("messages: an image by the id of a file that is none is refused", () => ImageFileAsync(app));
        checks.Add("messages: attachments are kept with their tools", () => AttachmentsAsync(app));
        checks.Add("messages: the helper of a thread makes a vector store", () => VectorStoresAsync(app));
        checks.Add("messages: an image reaches the model", () => ImageReachesModelAsync(app));
        checks.Add("messages: a change of metadata stays", () => ModifyAsync(app));
        checks.Add("messages: a deleted one is gone, and no model gets it", () => DeleteAsync(app));
    }

    private static async Task PartsAsync(App app)
    {
        var client = app.NewClient();
        AssistantThread thread = await client.CreateThreadAsync();
        ThreadMessage created = await client.CreateMessageAsync(
            thread.Id,
            MessageRole.User,
            [
                MessageContent.FromText("Look: ☃"),
                MessageContent.FromImageUri(Picture, MessageImageDetail.Low),
                MessageContent.FromImageUri(Picture),
                MessageContent.FromImageUri(Picture, MessageImageDetail.High),
            ]
        );
        ThreadMessage read = await client.GetMessageAsync(thread.Id, created.Id);
        MessageImageDetail?[] details =
            [null, MessageImageDetail.Low, MessageImageDetail.Auto, MessageImageDetail.High];
        foreach (var message in new[] { created, read })
        {
            Checks.Equal((thread.Id, MessageRole.User), (message.ThreadId, message.Role), "thread and role");
            Checks.Equal(MessageStatus.Completed, message.Status, "status");
            Checks.Same(["Look: ☃", null, null, null], message.Content.Select(part => part.Text), "texts");
            Checks.Same([null, Picture, Picture, Picture], message.Content.Select(part => part.ImageUri), "images");
            Checks.Same(details, message.Content.Select(part => part.ImageDetail), "details");
        }
    }

    private static async Task ImageFileAsync(App app)
    {
        var client = app.NewClient();
        AssistantThread thread = await client.CreateThreadAsync();
        var picture = MessageContent.FromImageFileId("assistant-picture", MessageImageDetail.High);
        var error = await Checks.ThrowsAsync<ClientResultException>(() =>
            client.CreateMessageAsync(thread.Id, MessageRole.User, ["Look:", picture])
        );
        Checks.Equal(404, error.Status, "status");
        Checks.That(error.Message.Contains("Files [assistant-picture] were not found"), error.Message);
    }

    private static async Task AttachmentsAsync(App app)
    {
        var (client, file) = await app.NewClientWithFileAsync("notes.txt");
        AssistantThread thread = await client.CreateThreadAsync();
        ThreadMessage message = await client.CreateMessageAsync(
            thread.Id,
            MessageRole.User,
            ["Read this."],
            new MessageCreationOptions
            {
                Attachments =
                [
                    new(file, [ToolDefinition.CreateCodeInterpreter()]),
                    new(file, [ToolDefinition.CreateFileSearch()]),
                ],
            }
        );
        Checks.Same([file, file], message.Attachments.Select(each => each.FileId), "files");
        Checks.That(message.Attachments[0].Tools[0] is CodeInterpreterToolDefinition, "another tool of the first file");
        Checks.That(message.Attachments[1].Tools[0] is FileSearchToolDefinition, "another tool of the second file");
        AssistantThread after = await client.GetThreadAsync(thread.Id);
        Checks.Equal(1, after.ToolResources.FileSearch.VectorStoreIds.Count, "vector stores of the thread");
    }

    private static async Task VectorStoresAsync(App app)
    {
        var (client, file) = await app.NewClientWithFileAsync("notes.txt");
        var resources = new ToolResources { FileSearch = new() { NewVectorStores = { new([file]) } } };
        AssistantThread thread = await client.CreateThreadAsync(
            new ThreadCreationOptions { ToolResources = resources }
        );
        Checks.That(
            thread.ToolResources.FileSearch.VectorStoreIds.Single().StartsWith("vs_"),
            "the store of the thread"
        );
    }

    private static async Task ImageReachesModelAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "A cat." });
        await talk.Client.CreateMessageAsync(
            talk.Thread.Id,
            MessageRole.User,
            ["What is it?", MessageContent.FromImageUri(Picture, MessageImageDetail.Low)]
        );
        await talk.SettledAsync(await talk.RunAsync());
        var request = (await talk.Model.RequestsAsync()).Single().ToString();
        Checks.That(request.Contains($"\"{Picture}\"") && request.Contains("\"low\""), request);
        Checks.Same(["A cat.", "What is it?", "Why?"], await talk.TextsAsync(), "texts");
    }

    private static async Task ModifyAsync(App app)
    {
        var client = app.NewClient();
        AssistantThread thread = await client.CreateThreadAsync();
        ThreadMessage message = await client.CreateMessageAsync(thread.Id, MessageRole.User, ["Hello"]);
        var change = new MessageModificationOptions { Metadata = { ["read"] = "yes" } };
        await client.ModifyMessageAsync(thread.Id, message.Id, change);
        ThreadMessage read = await client.GetMessageAsync(thread.Id, message.Id);
        Checks.Same(["read=yes"], read.Metadata.Select(AssistantChecks.Pair), "metadata");
        Checks.Equal("Hello", read.Content.Single().Text, "text");
    }

    private static async Task DeleteAsync(App app)
    {
        var talk = await Conversation.StartAsync(app, new { text = "Because." });
        ThreadMessage message = await talk.Client.CreateMessageAsync(talk.Thread.Id, MessageRole.User, ["a secret"]);
        MessageDeletionResult deleted = await talk.Client.DeleteMessageAsync(talk.Thread.Id, message.Id);
        Checks.Equal((message.Id, true), (deleted.MessageId, deleted.Deleted), "deletion");
        await talk.SettledAsync(await talk.RunAsync());
        Checks.Same(["Because.", "Why?"], await talk.TextsAsync(), "texts");
        Checks.That(!(await talk.Model.RequestsAsync()).Single().ToString().Contains("secret"), "the model got it");
    }
}

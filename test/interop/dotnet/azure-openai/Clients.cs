using System.ClientModel;
using System.ClientModel.Primitives;
using System.Reflection;
using Azure.AI.OpenAI;
using OpenAI.Assistants;
using OpenAI.Files;
using OpenAI.VectorStores;

namespace Threadkeep.Interop;

/// <summary>What only the library `Azure.AI.OpenAI` does this way.</summary>
public static partial class Clients
{
    public static AssemblyName Library => typeof(AzureOpenAIClient).Assembly.GetName();

    public const string WrongKeyText = "Access denied due to invalid subscription key";

    /// <summary>Without retries: an error is seen at once.</summary>
    public static AssistantClient Connect(Uri origin, string key)
    {
        var options = new AzureOpenAIClientOptions { RetryPolicy = new ClientRetryPolicy(0) };
        return new AzureOpenAIClient(origin, new ApiKeyCredential(key), options).GetAssistantClient();
    }

    public static (OpenAIFileClient Files, VectorStoreClient Stores) ConnectFiles(Uri origin, string key)
    {
        var options = new AzureOpenAIClientOptions { RetryPolicy = new ClientRetryPolicy(0) };
        var client = new AzureOpenAIClient(origin, new ApiKeyCredential(key), options);
        return (client.GetOpenAIFileClient(), client.GetVectorStoreClient());
    }

    /// <summary>A store with these files, once they are read; how many could be, and how many could not.</summary>
    public static async Task<(string Store, int Completed, int Failed)> StoreOfAsync(
        VectorStoreClient stores,
        IReadOnlyList<string> files
    )
    {
        VectorStore store = await stores.CreateVectorStoreAsync();
        VectorStoreFileBatch batch = await stores.AddFileBatchToVectorStoreAsync(store.Id, files);
        while (batch.Status == VectorStoreFileBatchStatus.InProgress)
        {
            await Task.Delay(30);
            batch = await stores.GetVectorStoreFileBatchAsync(store.Id, batch.BatchId);
        }
        return (store.Id, batch.FileCounts.Completed, batch.FileCounts.Failed);
    }
}
